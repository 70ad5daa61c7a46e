package event

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Notify answers a NOTIFY and tells the watch it belongs to. It returns at
// once; the answer follows.
func (s *Subscriber) Notify(tx Transaction) {
	req := tx.Request()
	event, err := EventOf(req)
	if err != nil {
		Refuse(tx, err, s.cfg.Log)
		return
	}
	if !s.knows(event.Package) { // RFC 6665 section 4.1.3
		Refuse(tx, BadEvent(strings.Join(s.cfg.Packages, ", ")), s.cfg.Log)
		return
	}
	to, err := message.To(req)
	w := s.byTag(to.Tag())
	if err != nil || w == nil {
		Refuse(tx, &Refusal{Status: 481}, s.cfg.Log)
		return
	}
	s.cfg.Lanes.Do(w.key, func() {
		if err := w.told(tx, event, to.Tag()); err != nil {
			Refuse(tx, err, s.cfg.Log)
		}
	})
}

// told is a NOTIFY, in the lane.
func (w *Watch) told(tx Transaction, event Header, localTag string) error {
	req := tx.Request()
	// RFC 6665 section 4.4.1: Call-ID, our tag and Event make it ours.
	if w.over || localTag != w.rec.LocalTag || message.CallID(req) != w.rec.CallID ||
		event.Package != w.rec.Package || event.ID != w.rec.EventID {
		return &Refusal{Status: 481}
	}
	u, after, expires, err := readState(req)
	if err != nil {
		return err
	}
	if len(u.Body) > 0 && !w.accepts(u.ContentType) {
		return &Refusal{Status: 415, Fields: []state.Field{{Name: "Accept", Value: strings.Join(w.want.Accept, ", ")}}}
	}
	if w.want.Read != nil && len(u.Body) > 0 {
		if u.Value, err = w.want.Read(u.ContentType, u.Body); err != nil {
			return &message.ParseError{Status: 400, Where: "body", What: err.Error()}
		}
	}
	next := w.rec // nothing changes until it is committed
	if err := advance(&next, req, w.timerN.On()); err != nil {
		return err
	}
	next.State = string(u.State)
	if u.State != StateTerminated && w.want.Durable && !w.want.Fetch && (!w.stored || next.Target != w.rec.Target) {
		next.CSeqReserved = w.cseq + reservation
		if next.Expires.IsZero() {
			next.Expires = w.s.cfg.Clock.Now().Add(w.lasts)
		}
		if err := Commit(w.s.cfg.Store, func(tx *state.Tx) error { return tx.PutSubscription(next) }); err != nil {
			return err
		}
		w.stored = true
	}
	w.rec = next
	w.timerN.Stop()
	if w.want.Peer != "" {
		defer w.s.up(w.want.Peer, nil) // w as well: it may have been on its way since before the link failed
	}
	respond(tx, message.NewResponse(req, 200, "", ""), w.s.cfg.Log)
	if u.State == StateTerminated {
		w.rec.RemoteTag = ""
		w.terminated(u, after)
		return nil
	}
	if w.want.Fetch { // nothing more is to come
		w.finish(u)
		return nil
	}
	w.failures = 0
	w.retime(expires)
	w.on(w, u)
	if w.ending && !w.last0 && !w.over {
		w.ask()
	}
	return nil
}

// retime takes the time a NOTIFY tells, which is the authoritative one (RFC 6665
// section 4.1.3) but never longer than what was granted; the first NOTIFY of a
// dialog sets the refresh as well.
func (w *Watch) retime(told time.Duration) {
	left := w.rec.Expires.Sub(w.s.cfg.Clock.Now())
	if w.rec.Expires.IsZero() { // it came before the response
		left = w.lasts
	}
	switch {
	case told > 0 && told < left-time.Second: // less may be but the way it took
		w.last(told)
	case !w.expiry.On():
		w.last(left)
	}
}

// advance takes the NOTIFY's place in the dialog; the first one makes it, with
// the NOTIFY's route set (RFC 6665 section 4.4.1), if it comes in time. One from
// another fork finds the place taken.
func advance(rec *state.Subscription, req *message.Request, inTime bool) error {
	from, err := message.From(req)
	if err != nil {
		return err
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return err
	}
	switch {
	case from.Tag() == "":
		return &message.ParseError{Status: 400, Where: "From", What: "no tag"}
	case rec.RemoteTag == "" && !inTime || rec.RemoteTag != "" && rec.RemoteTag != from.Tag():
		return &Refusal{Status: 481}
	case rec.RemoteTag != "" && cseq.Seq <= rec.RemoteCSeq: // RFC 3261 section 12.2.2
		return &Refusal{Status: 500, Reason: "CSeq out of order"}
	}
	contacts, err := message.Addresses(req, "Contact")
	if err != nil {
		return err
	}
	switch {
	case len(contacts) == 1:
		rec.Target = targetOf(contacts[0].URI)
	case len(contacts) > 1 || rec.RemoteTag == "":
		return &message.ParseError{Status: 400, Where: "Contact", What: "want one"}
	}
	rec.RemoteCSeq = cseq.Seq
	if rec.RemoteTag == "" {
		rec.RemoteTag, rec.RemoteAddress = from.Tag(), from.String()
		rec.Routes = message.Raw(req, "Record-Route")
	}
	return nil
}

// readState reads what a NOTIFY says of its subscription.
func readState(req *message.Request) (u Update, after, expires time.Duration, err error) {
	value, rest, _ := strings.Cut(message.Get(req, "Subscription-State"), ";")
	u = Update{Notified: true, State: State(strings.ToLower(strings.TrimSpace(value))), ContentType: message.Get(req, "Content-Type"), Body: req.Body()}
	if u.State == "" {
		return u, 0, 0, &message.ParseError{Status: 400, Where: "Subscription-State", What: "missing"}
	}
	if rest != "" {
		params, perr := message.ParseParams(";" + rest)
		if perr != nil {
			return u, 0, 0, perr
		}
		u.Reason, _ = params.Get("reason")
		u.Reason = strings.ToLower(u.Reason)
		after, expires = secondsOf(params, "retry-after"), secondsOf(params, "expires")
	}
	return u, after, expires, nil
}

func secondsOf(params message.Params, name string) time.Duration {
	v, _ := params.Get(name)
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// accepts says whether we asked for bodies of that type.
func (w *Watch) accepts(contentType string) bool {
	if len(w.want.Accept) == 0 {
		return true
	}
	return slices.ContainsFunc(w.want.Accept, func(a string) bool { return message.MediaType(a) == message.MediaType(contentType) })
}
