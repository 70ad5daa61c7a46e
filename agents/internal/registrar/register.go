package registrar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// change is what one REGISTER does to a user's bindings.
type change struct {
	aor       string
	put, drop []Binding
	expired   []Binding // they leave with whatever else changes
	after     []Binding // what is left
}

// weigh works out the change a REGISTER asks for (RFC 3261 section 10.3 steps 5
// to 8): all of its contacts or none.
func (r *Registrar) weigh(req *message.Request, aor string, from sip.Source) (change, error) {
	now := r.cfg.Clock.Now()
	c := change{aor: aor}
	r.mu.RLock()
	for _, b := range r.users[aor] {
		if b.Expires.After(now) {
			c.after = append(c.after, b)
		} else {
			c.expired = append(c.expired, b)
		}
	}
	r.mu.RUnlock()
	contacts, err := message.Addresses(req, "Contact")
	if err != nil {
		return c, err
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return c, err
	}
	callID := message.CallID(req)
	if slices.ContainsFunc(contacts, func(a message.Address) bool { return a.URI.Wildcard }) {
		return r.dropAll(c, contacts, req, callID, cseq.Seq)
	}
	last := map[string]int{} // of equal contacts the later wins
	for i, a := range contacts {
		last[contactKey(a.URI)] = i
	}
	for n, a := range contacts {
		lasts, err := r.expiry(a, req)
		if err != nil {
			return c, err
		}
		if a.URI.Scheme != "sip" && a.URI.Scheme != "sips" {
			return c, &refusal{status: 400, why: "Contact: want a sip or sips URI, have scheme " + strconv.Quote(a.URI.Scheme)}
		}
		if lasts > 0 && r.cfg.Ours != nil && r.cfg.Ours(a.URI) {
			return c, &refusal{status: 403, why: "Contact: " + a.URI.Host + " is the domain or a server of it, and no device"}
		}
		b := Binding{
			Contact: message.Address{Display: a.Display, URI: a.URI, Params: a.Params.Without("expires")},
			CallID:  callID, CSeq: cseq.Seq, Expires: now.Add(lasts), Updated: now, Hop: hopOf(from),
			Agent: message.Get(req, "User-Agent"), key: contactKey(a.URI), aor: aor,
		}
		if b.Q, err = quality(a); err != nil {
			return c, err
		}
		if last[b.key] != n {
			continue
		}
		i := slices.IndexFunc(c.after, func(o Binding) bool { return o.key == b.key })
		if i >= 0 {
			if err := outOfOrder(c.after[i], callID, cseq.Seq); err != nil {
				return c, err
			}
			old := c.after[i]
			c.after = slices.Delete(c.after, i, i+1)
			if lasts == 0 {
				c.drop = append(c.drop, old)
			}
		}
		if lasts > 0 {
			c.put = append(c.put, b)
			c.after = append(c.after, b)
		}
	}
	if len(c.after) > r.cfg.Contacts {
		return c, &refusal{status: 403, why: fmt.Sprintf("more than %d contacts", r.cfg.Contacts)}
	}
	return c, nil
}

// dropAll is the wildcard (section 10.2.2): alone, and with Expires 0.
func (r *Registrar) dropAll(c change, contacts []message.Address, req *message.Request, callID string, cseq uint32) (change, error) {
	if n, ok := message.Seconds(req, "Expires"); !ok || n != 0 || len(contacts) != 1 {
		return c, &refusal{status: 400, why: "Contact: * must stand alone, with Expires: 0"}
	}
	for _, b := range c.after {
		if err := outOfOrder(b, callID, cseq); err != nil {
			return c, err
		}
	}
	c.drop, c.after = c.after, nil
	return c, nil
}

// outOfOrder: of one Call-ID the newer CSeq holds (section 10.3 step 7).
func outOfOrder(old Binding, callID string, cseq uint32) error {
	if old.CallID == callID && cseq <= old.CSeq {
		return &refusal{status: 500, why: fmt.Sprintf("CSeq %d came after %d", cseq, old.CSeq)}
	}
	return nil
}

// expiry is how long a contact asks to stay: its own parameter, else Expires,
// else our default; never above our maximum.
func (r *Registrar) expiry(a message.Address, req *message.Request) (time.Duration, error) {
	lasts := r.cfg.Default
	if v, ok := a.Params.Get("expires"); ok {
		// RFC 3261 section 20.10: a malformed one is as 3600.
		if n, err := strconv.ParseUint(v, 10, 32); err == nil {
			lasts = time.Duration(n) * time.Second
		}
	} else if n, ok := message.Seconds(req, "Expires"); ok {
		lasts = time.Duration(n) * time.Second
	}
	if lasts > 0 && lasts < r.cfg.Min {
		return 0, &refusal{status: 423, why: fmt.Sprintf("a binding lasts at least %s", r.cfg.Min), minExpires: r.cfg.Min}
	}
	return min(lasts, r.cfg.Max), nil
}

func quality(a message.Address) (float64, error) {
	v, ok := a.Params.Get("q")
	if !ok {
		return 1, nil
	}
	q, err := strconv.ParseFloat(v, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0, &refusal{status: 400, why: "Contact: q goes from 0 to 1, have " + strconv.Quote(v)}
	}
	return q, nil
}

// contactKey is equal for URIs that RFC 3261 section 19.1.4 calls equal, as far
// as bindings are concerned.
func contactKey(u message.URI) string {
	params := make([]string, 0, len(u.UriParams))
	for _, kv := range u.UriParams {
		params = append(params, strings.ToLower(kv.K)+"="+strings.ToLower(kv.V))
	}
	slices.Sort(params)
	return fmt.Sprintf("%s:%s@%s:%d;%s", u.Scheme, message.Unescape(u.User), strings.ToLower(u.Host), u.Port, strings.Join(params, ";"))
}

// accept answers with every binding there is (section 10.3 step 8).
func (r *Registrar) accept(tx *sip.ServerTx, aor string) {
	now := r.cfg.Clock.Now()
	res := message.NewResponse(tx.Request(), 200, "", sip.NewTag())
	for _, b := range r.Bindings(aor) {
		a := b.Contact
		a.Params = a.Params.With("expires", seconds(b.Expires.Sub(now)))
		message.Add(res, "Contact", a.String())
	}
	if r.cfg.Supported != "" {
		message.Add(res, "Supported", r.cfg.Supported)
	}
	if r.cfg.AllowEvents != nil {
		message.Add(res, "Allow-Events", r.cfg.AllowEvents())
	}
	message.Add(res, "Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05")+" GMT")
	tx.Respond(res)
}

// seconds is a duration on the wire, rounded up: what is left is never 0.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func (c change) write(tx *state.Tx) error {
	for _, b := range slices.Concat(c.drop, c.expired) { // first: one may come back
		if err := tx.DeleteBinding(c.aor, b.key); err != nil {
			return err
		}
	}
	for _, b := range c.put {
		if err := tx.PutBinding(state.Binding{
			AOR: c.aor, Contact: b.key, Address: b.Contact.String(), CallID: b.CallID, CSeq: b.CSeq,
			Agent: b.Agent, Updated: b.Updated, Expires: b.Expires,
		}); err != nil {
			return err
		}
	}
	return nil
}

func restored(s state.Binding) (Binding, error) {
	a, err := message.ParseAddress(s.Address)
	if err != nil {
		return Binding{}, err
	}
	q, err := quality(a)
	return Binding{
		Contact: a, CallID: s.CallID, CSeq: s.CSeq, Expires: s.Expires, Updated: s.Updated, Q: q, Agent: s.Agent,
		key: s.Contact, aor: s.AOR,
	}, err
}
