package figures

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// device publishes at one server: anew, other, the same for longer, no more.
type device struct {
	p    *person
	x    string
	n    int
	name string // of its tuple; "" as long as it has none
	user string // of the person, then
	etag string // "": nothing is published, as far as was answered

	version, names int
	open           string // what it is not known to have done: initial, modify, refresh, remove
	next           int    // the version of that
}

func (d *device) step(rng *rand.Rand) {
	if d.open != "" {
		return
	}
	d.begin()
	do := "initial"
	if d.etag != "" {
		do = []string{"modify", "modify", "refresh", "remove"}[rng.IntN(4)]
	}
	d.do(do)
}

// begin takes a name, for a user who is another by now or for a tuple that is out of
// reach.
func (d *device) begin() {
	if user := d.p.name(); d.user != user {
		d.user, d.etag, d.name = user, "", ""
	}
	if d.name == "" {
		d.names++
		d.name = fmt.Sprintf("d%d-%d", d.n, d.names)
	}
}

// do makes one of the four requests of RFC 3903 section 4.1.
func (d *device) do(what string) {
	c := d.p.b.crowd
	d.next = d.version
	req := c.request(message.PUBLISH, d.user, d.user, "Event", "presence", "Expires", map[bool]string{true: "0", false: "3600"}[what == "remove"])
	if what != "initial" {
		message.Add(req, "SIP-If-Match", d.etag)
	}
	if what == "initial" || what == "modify" {
		d.next++
		message.SetBody(req, "application/pidf+xml", document(d.user, d.name, d.next))
	}
	before, after := d.version, d.next
	if d.etag == "" {
		before = 0
	}
	if what == "remove" {
		after = 0
	}
	d.p.may(d.name, before, after)
	a := c.try(d.x, req, &c.publish)
	switch {
	case a.done():
		d.p.may(d.name, after)
		d.version, d.etag = d.next, message.Get(a.Response, "SIP-ETag")
		if what == "remove" {
			d.etag = ""
		}
	case a.unknown():
		d.open = what
	default:
		c.t.Errorf("%s of %s of %s with the entity-tag that was answered: %d", what, d.name, d.user, a.status())
	}
}

// goOn modifies by the entity-tag that was answered last. It names the publication
// still, unless what was under way has happened.
func (d *device) goOn(*rand.Rand) {
	c, open, before := d.p.b.crowd, d.open, d.version
	d.open = ""
	if d.etag == "" {
		if open == "initial" { // it may be there or not, under a tag that nobody knows
			d.leave()
		}
		return
	}
	after := d.next
	if open == "" {
		if d.do("modify"); d.open != "" {
			c.t.Errorf("PUBLISH of %s of %s after a restart is not acknowledged", d.name, d.user)
		}
		return
	}
	req := c.request(message.PUBLISH, d.user, d.user, "Event", "presence", "SIP-If-Match", d.etag, "Expires", "3600")
	version := max(before, after) + 1
	message.SetBody(req, "application/pidf+xml", document(d.user, d.name, version))
	switch a := c.try(d.x, req, &c.publish); {
	case a.done():
		d.version, d.etag = version, message.Get(a.Response, "SIP-ETag")
		d.p.may(d.name, version)
	case a.status() != 412:
		c.t.Errorf("PUBLISH of %s of %s after a restart: %d", d.name, d.user, a.status())
	case open == "remove":
		d.etag, d.version = "", after
		d.p.may(d.name, 0)
	default:
		d.p.may(d.name, after)
		d.leave()
	}
}

// leave lets a tuple be that cannot be spoken of any more.
func (d *device) leave() {
	d.etag, d.name = "", ""
	d.version = max(d.version, d.next)
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.p.stuck++
}

// lease is how long a contact was registered for, or may have been.
type lease struct{ seconds []int } // 0: not at all

// registering is one who registers contacts, refreshes and removes them.
type registering struct {
	c        *crowd
	user, x  string
	callID   string
	cseq     int
	contacts int
	there    map[string]lease
	open     bool
}

func (r *registering) step(rng *rand.Rand) {
	if r.open {
		return
	}
	contact := ""
	if known := slices.Sorted(maps.Keys(r.there)); len(known) > 0 && (len(known) > 3 || rng.IntN(3) > 0) {
		contact = known[rng.IntN(len(known))]
	} else {
		r.contacts++
		contact = fmt.Sprintf("sip:%s@192.0.2.%d:%d", r.user, r.contacts%250+1, 1024+r.contacts)
	}
	before, after := []int{0}, 3000+rng.IntN(600)
	if old, there := r.there[contact]; there {
		if before = old.seconds; rng.IntN(3) == 0 {
			after = 0
		}
	}
	a := r.ask(contact, after)
	switch {
	case a.done():
		r.there[contact] = lease{[]int{after}}
		r.check(a)
	case a.unknown():
		r.open = true
		r.there[contact] = lease{append(slices.Clone(before), after)}
	default:
		r.c.t.Errorf("REGISTER of %s: %d", r.user, a.status())
	}
}

func (r *registering) ask(contact string, expires int) answer {
	r.cseq++
	if r.callID == "" {
		r.callID = sip.NewTag()
	}
	req := r.c.request(message.REGISTER, r.user, r.user)
	message.Set(req, "Call-ID", r.callID)
	message.Set(req, "CSeq", fmt.Sprint(r.cseq, " REGISTER"))
	message.Remove(req, "Contact")
	if contact != "" {
		message.Add(req, "Contact", fmt.Sprintf("<%s>;expires=%d", contact, expires))
	}
	return r.c.try(r.x, req, &r.c.register)
}

// check holds the bindings of a 200 against what was answered before.
func (r *registering) check(a answer) {
	contacts, err := message.Addresses(a.Response, "Contact")
	if err != nil {
		r.c.t.Error(err)
	}
	left := map[string]int{}
	for _, contact := range contacts {
		v, _ := contact.Params.Get("expires")
		left[contact.URI.String()], _ = strconv.Atoi(v)
		if _, known := r.there[contact.URI.String()]; !known {
			r.c.t.Errorf("%s has %s registered, which was removed", r.user, contact.URI.String())
		}
	}
	for contact, l := range r.there {
		i := slices.IndexFunc(l.seconds, func(of int) bool { return (of == 0) == (left[contact] == 0) && left[contact] <= of })
		if i < 0 {
			r.c.t.Errorf("%s has %s registered for %d s, want one of %v", r.user, contact, left[contact], l.seconds)
		} else if left[contact] == 0 {
			delete(r.there, contact)
		} else {
			r.there[contact] = lease{[]int{slices.Max(l.seconds)}}
		}
	}
}

func (r *registering) goOn(*rand.Rand) {
	r.open = false
	if a := r.ask("", 0); a.done() {
		r.check(a)
	} else {
		r.c.t.Errorf("REGISTER of %s that asks what there is: %d", r.user, a.status())
	}
}
