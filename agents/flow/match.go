package flow

import (
	"slices"
	"strings"
	"time"

	"presfed/agents/internal/wire"
)

// talk is what is known of a dialog by the messages matched so far.
type talk struct {
	callID         string
	caller, callee string // tags; the callee's is learnt
}

// matcher finds the messages of a flow among those observed.
type matcher struct {
	messages []*observed
	class    map[*observed]string
	taken    map[*observed]string // F-numbers
	seen     map[string]*observed
	talks    map[string]*talk
}

// match gives each drawn message the first observed one that is what was drawn.
func match(f Flow, messages []*observed, class map[*observed]string, begin time.Time) *matcher {
	m := &matcher{messages: messages, class: class, taken: map[*observed]string{}, seen: map[string]*observed{}, talks: map[string]*talk{}}
	for _, s := range f.standing {
		for _, o := range messages {
			if !o.since(begin) && o.From == s.from && o.To == s.to && o.Method == s.method && o.Status == 0 && o.ToTag == "" {
				m.talks[s.dialog] = &talk{callID: o.CallID, caller: o.FromTag}
			}
		}
	}
	for _, want := range f.Messages {
		for _, o := range messages {
			if _, final := class[o]; !final && m.taken[o] == "" && m.fits(want, o) {
				m.taken[o], m.seen[want.F] = want.F, o
				m.learn(want, o)
				break
			}
		}
	}
	return m
}

func (m *matcher) fits(want Message, o *observed) bool {
	if o.From != want.From || o.To != want.To || o.Protocol != want.Protocol || o.Status != want.status {
		return false
	}
	asked := m.seen[want.of]
	if o.Protocol == wire.MSRP && o.Status != 0 { // it does not say a method itself
		return asked == nil || o.Transaction == asked.Transaction
	}
	if o.Method != want.method {
		return false
	}
	if o.Protocol == wire.MSRP {
		return true
	}
	if want.method == "NOTIFY" && want.status == 0 && !o.hasBody() {
		return false // the drawn one is the first with a body
	}
	if want.opens && o.ToTag != "" {
		return false
	}
	if !m.talks[want.dialog].holds(o) {
		return false
	}
	// A response is its request's by the branch (RFC 3261 section 17.1.3), and so
	// is the ACK to a refusal (section 17.1.1.3).
	if asked != nil && (o.Branch != asked.Branch || o.CallID != asked.CallID || o.Status != 0 && o.CSeq != asked.CSeq) {
		return false
	}
	if want.method == "ACK" && want.of == "" && m.endsHop(o) {
		return false
	}
	// What a proxy passes on keeps CSeq and tags.
	if p := m.seen[want.passes]; p != nil && (o.CSeq != p.CSeq || o.FromTag != p.FromTag || o.ToTag != p.ToTag) {
		return false
	}
	return true
}

// endsHop tells whether an ACK is the one to a refusal: it has the branch of its
// INVITE, where the one to a 2xx has its own.
func (m *matcher) endsHop(ack *observed) bool {
	return slices.ContainsFunc(m.messages, func(o *observed) bool {
		return o.Method == "INVITE" && o.Status == 0 && o.Branch == ack.Branch && o.From == ack.From && o.To == ack.To
	})
}

// holds tells whether a message can belong to the dialog.
func (t *talk) holds(o *observed) bool {
	if t == nil {
		return true
	}
	if o.CallID != t.callID {
		return false
	}
	other := o.ToTag
	switch t.caller {
	case o.FromTag:
	case o.ToTag:
		other = o.FromTag
	default:
		return false
	}
	return t.callee == "" || other == "" || other == t.callee
}

// learn takes what a matched message tells of its dialog.
func (m *matcher) learn(want Message, o *observed) {
	if want.dialog == "" || want.Protocol != wire.SIP {
		return
	}
	t := m.talks[want.dialog]
	if t == nil {
		t = &talk{callID: o.CallID, caller: o.FromTag}
		if strings.EqualFold(o.Method, "NOTIFY") { // the notifier asks: the caller is whom it asks
			t.caller = o.ToTag
		}
		m.talks[want.dialog] = t
	}
	if t.callee != "" {
		return
	}
	// A 200 to SUBSCRIBE may be a proxy's own; a dialog is the notifier's by its
	// NOTIFY (RFC 6665 section 4.4.1).
	switch {
	case o.Method == "NOTIFY" && o.Status == 0:
		t.callee = o.FromTag
	case o.Method == "INVITE" && o.Status > 100 && o.Status < 300: // each branch of a fork has a dialog of its own
		t.callee = o.ToTag
	}
}
