package flow

import (
	"strconv"
	"strings"

	"presfed/agents/internal/wire"
)

// option says more of an arrow.
type option func(*Message)

// arrow is a SIP message from hop to hop.
func arrow(f, from, to, what string, options ...option) Message {
	m := Message{F: f, From: from, To: to, Protocol: wire.SIP, What: what, method: what}
	if code, method, found := strings.Cut(what, " "); found {
		m.method = method
		m.status, _ = strconv.Atoi(code)
	}
	for _, o := range options {
		o(&m)
	}
	return m
}

func opens(dialog string) option  { return func(m *Message) { m.dialog, m.opens = dialog, true } }
func within(dialog string) option { return func(m *Message) { m.dialog = dialog } }
func note(s string) option        { return func(m *Message) { m.Note = s } }
func after(f ...string) option    { return func(m *Message) { m.After = f } }
func leg(name string) option      { return func(m *Message) { m.Leg = name } }
func msrp(m *Message)             { m.Protocol = wire.MSRP }

// answers: a response to f, which it follows.
func answers(f string) option {
	return func(m *Message) { m.of, m.After = f, []string{f} }
}

// passes: f, sent on by a proxy.
func passes(f string) option {
	return func(m *Message) { m.passes, m.After = f, []string{f} }
}

// relays: the response that came as f, which answers the request of.
func relays(f, of string) option {
	return func(m *Message) { m.passes, m.of, m.After = f, of, []string{f} }
}

// early: the first response of a branch to f, which opens its early dialog.
func early(f, dialog string) option {
	return func(m *Message) { m.of, m.dialog, m.After = f, dialog, []string{f} }
}

// onHop: a CANCEL or an ACK to a refusal, which goes as far as the request of it
// is about, with its branch (RFC 3261 sections 9.1, 17.1.1.3).
func onHop(of string) option { return func(m *Message) { m.of = of } }
