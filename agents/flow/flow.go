package flow

import (
	"slices"
	"strings"

	"presfed/agents/internal/wire"
	"presfed/pidf"
	"presfed/routing"
)

// The participants that flows draw.
const (
	ServerA    = "server-a"
	ServerB    = "server-b"
	AlicePC    = "alice-pc"
	AlicePhone = "alice-phone"
	BobPC      = "bob-pc"
	BobPhone   = "bob-phone"
	Calendar   = "calendar" // the feeder of Alice's
)

// Flow is one call flow.
type Flow struct {
	ID       string // the draft's section, 4.1.1
	Slug     string
	Title    string
	Model    string // of the users' placement: partitioned, peer, "hierarchical, root server-a"
	Needs    string // what stands before the flow; its messages are set-up
	Messages []Message
	Checks   []Check

	// standing are dialogs that the set-up opened and the flow goes on in.
	standing []standing
	aside    []aside // what happens beside the flow and is not drawn
	prepare  part    // makes true what Needs says
	act      part
}

// Message is one arrow of the drawing.
type Message struct {
	F        string
	From, To string
	Protocol wire.Protocol
	What     string // METHOD, or CODE METHOD for a response
	Leg      string // the branch of the fork that it belongs to
	Note     string
	After    []string // messages that must have been sent before

	method string
	status int    // 0: a request
	dialog string // messages of one name share a Call-ID and tags
	opens  bool   // the dialog: no To tag
	of     string // the request that it answers; of an ACK, the INVITE of its hop
	passes string // the message that it is, one hop further
}

// standing is a dialog that a request of the set-up opened.
type standing struct{ dialog, from, to, method string }

// Bed is the model of the bed that the flow runs on.
func (f Flow) Bed() routing.Model {
	model, _, _ := strings.Cut(f.Model, ",")
	return routing.Model(model)
}

// aside is a request, with its responses, that a flow says happens undrawn.
type aside struct{ from, to, method string }

// Check is one thing that must hold of one message.
type Check struct {
	F      string
	Name   string
	Source string // the text that asks for it

	// holds judges one side of the message: as it was sent, and again as it was
	// received if that is something else.
	holds func(*evidence, *side) (ok bool, got string)
	also  []string // other messages that it looks at
	want  *pidf.Expect
}

// List is every flow, in the draft's order.
func List() []Flow {
	return []Flow{
		addBuddy(), away(), doNotDisturb(), instantMessage(),
		login(), rootAddBuddy(), meeting(), rootIM(),
		peerAddBuddy(), peerDND(), peerIM(),
	}
}

// Show is the flow with that id or slug.
func Show(id string) (Flow, bool) {
	flows := List()
	i := slices.IndexFunc(flows, func(f Flow) bool { return f.ID == id || f.Slug == id })
	if i < 0 {
		return Flow{}, false
	}
	return flows[i], true
}

// build completes a flow: what every message is asked, and the dialogs of
// messages that name another.
func build(f Flow) Flow {
	dialogs := map[string]string{}
	for i := range f.Messages {
		m := &f.Messages[i]
		for _, other := range []string{m.passes, m.of} { // what passes keeps its own To tag
			if m.dialog == "" {
				m.dialog = dialogs[other]
			}
		}
		dialogs[m.F] = m.dialog
	}
	var checks []Check
	for i, m := range f.Messages {
		for _, c := range f.Checks {
			if c.F == m.F {
				c.Source = "draft " + f.ID + c.Source
				checks = append(checks, c)
			}
		}
		checks = append(checks, Check{
			F: m.F, Name: recorded,
			Source: "draft " + f.ID + ": " + f.Messages[i].What + " from " + m.From + " to " + m.To,
		})
	}
	f.Checks = checks
	return f
}

// recorded is asked of every message. It has no function of its own: Judge knows.
const recorded = "recorded by both sockets, alike"
