package flow

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"presfed/agents/internal/wire"
)

// Judge holds a flow against the records of all participants. What was sent
// before begin is set-up. It keeps nothing and changes nothing of its arguments.
func Judge(f Flow, facts Facts, records []wire.Record, begin time.Time) Result {
	messages := observe(records, &facts)
	class := undrawn(messages, begin)
	m := match(f, messages, class, begin)
	m.bodiless()
	m.aside(f)
	r := Result{Participants: participants(facts.Participants)}
	v := &r.Verdict
	*v = Verdict{Type: "verdict", Flow: f.ID, Missing: []string{}, Unexpected: []string{}, OutOfOrder: []string{}}
	r.Checks = checks(f, &facts, m.seen)
	for _, o := range messages {
		line := o.Line()
		line.Flow, line.F, line.Undrawn = f.ID, m.taken[o], class[o]
		line.From, line.To = o.From, o.To
		if line.F == "" && line.Undrawn == "" {
			line.Undrawn = Unexpected
			v.Unexpected = append(v.Unexpected, fmt.Sprintf("%s to %s: %s", o.From, o.To, o.StartLine))
		} else if line.F == "" && line.Undrawn != Setup && o.oneSided(&facts) {
			r.Checks = append(r.Checks, CheckResult{
				Type: "check", Flow: f.ID, Check: recorded, Source: "both ends are watched", Got: o.StartLine + ": " + o.whoRecorded(),
			})
		}
		r.Messages = append(r.Messages, line)
	}
	for _, want := range f.Messages {
		o := m.seen[want.F]
		if o == nil {
			v.Missing = append(v.Missing, want.F)
			continue
		}
		if slices.ContainsFunc(want.After, func(f string) bool { return m.seen[f] != nil && o.Time.Before(m.seen[f].Time) }) {
			v.OutOfOrder = append(v.OutOfOrder, want.F)
		}
	}
	for _, c := range r.Checks {
		if !c.OK {
			v.FailedChecks++
		}
	}
	v.OK = len(v.Missing)+len(v.Unexpected)+len(v.OutOfOrder)+v.FailedChecks == 0
	return r
}

// bodiless puts aside the NOTIFYs without a body that may come before the first
// document (RFC 6665 section 4.2.2), and their responses.
func (m *matcher) bodiless() {
	type hop struct{ from, to, branch string }
	asked := map[hop]bool{}
	for _, o := range m.messages {
		if _, final := m.class[o]; final || m.taken[o] != "" || o.Method != "NOTIFY" || o.Protocol != wire.SIP {
			continue
		}
		if o.Status == 0 && !o.hasBody() {
			m.class[o] = Setup
			asked[hop{o.To, o.From, o.Branch}] = true
		} else if asked[hop{o.From, o.To, o.Branch}] {
			m.class[o] = Setup
		}
	}
}

// aside puts aside what the flow says happens undrawn: requests from one
// participant to another, and their responses.
func (m *matcher) aside(f Flow) {
	for _, o := range m.messages {
		if _, final := m.class[o]; final || m.taken[o] != "" || o.Protocol != wire.SIP {
			continue
		}
		from, to := o.From, o.To
		if o.Status != 0 {
			from, to = to, from
		}
		if slices.Contains(f.aside, aside{from, to, o.Method}) {
			m.class[o] = Setup
		}
	}
}

// checks evaluates a flow's. One whose message was not seen does not hold.
func checks(f Flow, facts *Facts, seen map[string]*observed) []CheckResult {
	e := &evidence{facts: facts, seen: seen}
	failed := map[string]bool{}   // by F-number, and by F-number and check
	passed := map[string]string{} // what a document was passed on from
	for _, m := range f.Messages {
		if m.method == "NOTIFY" && m.passes != "" && seen[m.passes] != nil {
			passed[m.F] = m.passes
		}
	}
	var out []CheckResult
	for _, c := range f.Checks {
		r := CheckResult{Type: "check", Flow: f.ID, F: c.F, Check: c.Name, Source: c.Source}
		switch o := seen[c.F]; {
		case o == nil:
			r.Got = c.F + " is missing"
		case c.holds == nil: // recorded: the last one of each message
			r.Got = o.whoRecorded()
			r.OK = o.Sent != nil && o.Received != nil
			if r.OK && o.changed() {
				// Another check that fails, of this message or with an eye on
				// it, has said what changed.
				r.Got, r.OK = "changed on its way", failed[c.F]
			}
		default:
			for i := range o.sides {
				if r.OK, r.Got = c.holds(e, &o.sides[i]); !r.OK {
					break
				}
			}
			if p := passed[c.F]; !r.OK && failed[p+c.Name] && bytes.Equal(seen[p].last().body(), o.last().body()) {
				// One fault is one finding: the check of the message that was passed
				// on says it, and this one is what arrived.
				r.OK, r.Got = true, "as "+p+" arrived"
			}
		}
		failed[c.F] = failed[c.F] || !r.OK
		for _, other := range c.also {
			failed[other] = failed[other] || !r.OK
		}
		failed[c.F+c.Name] = !r.OK
		out = append(out, r)
	}
	return out
}

func (o *observed) whoRecorded() string {
	switch {
	case o.Received == nil:
		return "not recorded by " + o.To
	case o.Sent == nil:
		return "not recorded by " + o.From
	}
	return "recorded by " + o.From + " and " + o.To
}

// oneSided tells whether one of two participants did not record a message.
func (o *observed) oneSided(facts *Facts) bool {
	return (o.Sent == nil || o.Received == nil) && facts.known(o.From) && facts.known(o.To)
}

func (f *Facts) known(name string) bool {
	return slices.ContainsFunc(f.Participants, func(p Participant) bool { return p.Name == name })
}

func participants(list []Participant) (out []ParticipantLine) {
	for _, p := range list {
		if p.Addresses == nil {
			p.Addresses = []netip.AddrPort{}
		}
		out = append(out, ParticipantLine{Type: "participant", Participant: p})
	}
	return out
}
