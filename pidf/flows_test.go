package pidf

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// The shares of the draft's unioned flows.
func phone() Document {
	q8, _ := NewPriority(0.8)
	q5, _ := NewPriority(0.5)
	return Build(Facts{Entity: alice, NoPerson: true, Services: []Service{
		{ID: "fabfa341", Contact: "sip:85551234@64.102.224.56", Priority: q8, Capabilities: []string{"audio"}},
		{ID: "frh78", Contact: alice, Priority: q5, Capabilities: []string{"text", "text/plain"}},
	}})
}

func pc(status Status, note string) Document {
	q5, _ := NewPriority(0.5)
	return Build(Facts{Entity: alice, Status: status, Note: note, Services: []Service{
		{ID: "0983wqh", Contact: alice, Priority: q5, Capabilities: []string{"text", "text/plain"}, UserInput: "active"},
	}})
}

func meeting() Document {
	return Build(Facts{Entity: alice, Status: StatusBusy, Note: "I am in a Meeting", Class: ClassCalendar})
}

// expected finds the expectation of one message of a flow.
func expected(t *testing.T, flow, message string) Expect {
	t.Helper()
	for _, e := range expects(t) {
		if e.Flow == flow && slices.Contains(e.Messages, message) {
			return e
		}
	}
	t.Fatalf("no document for %s %s", flow, message)
	return Expect{}
}

func holds(t *testing.T, flow, message string, d Document) {
	t.Helper()
	for _, diff := range expected(t, flow, message).Check(d) {
		t.Errorf("%s %s: %s", flow, message, diff)
	}
}

// unions are the documents of the unioned flows, each from the shares of the
// servers: server-a has the PC and the calendar, server-b the phone.
var unions = []struct {
	flow, message string
	a, b          []string // publications: a document of documents.json, or the calendar
}{
	{"4.2.1.1", "F8", nil, []string{"4.2.1.1 F1"}},
	{"4.2.1.1", "F10", []string{"4.2.1.1 F2b"}, []string{"4.2.1.1 F1"}},
	{"4.2.1.2", "F5", []string{"4.2.1.1 F2b"}, []string{"4.2.1.1 F8"}},
	{"4.2.1.3", "F3", []string{"4.2.1.1 F2b", "calendar"}, []string{"4.2.1.1 F8"}},
	{"4.2.1.3", "F11", []string{"4.2.1.1 F2b", "calendar"}, []string{"4.2.1.3 F7"}},
	{"4.2.2.1", "F5", []string{"4.2.1.1 F2b"}, nil},
	{"4.2.2.1", "F7", []string{"4.2.2.1 F5"}, []string{"4.2.1.1 F1"}},
	{"4.2.2.2", "F3", []string{"4.2.2.2 F1"}, []string{"4.2.1.1 F1"}},
}

// The publications of documents.json make its composed documents, the same
// bytes whichever server composes and however the other's share was spelled.
func TestFlowsCompose(t *testing.T) {
	for _, u := range unions {
		a, b := Compose(alice, published(t, u.a, 1)...), Compose(alice, published(t, u.b, 2)...)
		var first []byte
		for _, dialect := range []Dialect{Standard, Draft} {
			for _, shares := range [][]Share{
				{{Document: a}, carried(t, b, dialect)}, {carried(t, a, dialect), {Document: b}},
			} {
				d := Compose(alice, shares...)
				holds(t, u.flow, u.message, d)
				view := Write(d.WithoutSources(), Standard)
				if first == nil {
					first = view
				}
				if !bytes.Equal(view, first) {
					t.Errorf("%s %s: it depends on who composes:\n%s\n%s", u.flow, u.message, first, view)
				}
			}
		}
	}
}

// published are the publications of one server, received one after another.
func published(t *testing.T, names []string, received int) []Share {
	t.Helper()
	var shares []Share
	for i, name := range names {
		flow, message, _ := strings.Cut(name, " ")
		src := Source{Publication: "of " + name, Received: receivedAt(10*i + received), Kind: KindDevice}
		d := meeting()
		if name == "calendar" {
			src.Kind = KindCalendar
		} else {
			d = expected(t, flow, message).document(t)
		}
		shares = append(shares, Share{Document: Stamp(d, src)})
	}
	return shares
}

// carried is a share after its way to another server.
func carried(t *testing.T, d Document, dialect Dialect) Share {
	t.Helper()
	return Share{Document: mustParse(t, Write(d, dialect))}
}

// 4.2.2.2: the server of the phone mirrors what the PC says; what it sends back
// is F4, and with it server-a shows what server-b shows.
func TestFlowsMirror(t *testing.T) {
	a, b := Compose(alice, published(t, []string{"4.2.2.2 F1"}, 1)...), Compose(alice, published(t, []string{"4.2.1.1 F1"}, 2)...)
	atB := Compose(alice, Share{Document: b}, carried(t, a, Standard))
	mirrored, _, _ := DevicePolicy(b, carried(t, a, Standard))
	holds(t, "4.2.2.2", "F4", mirrored)
	atA := Compose(alice, Share{Document: a}, carried(t, mirrored, Standard))
	holds(t, "4.2.2.2", "F3", atA)
	if !atA.Equal(atB) {
		t.Errorf("server-a shows\n%s\nserver-b\n%s", Write(atA, Standard), Write(atB, Standard))
	}
}

// A device's own word outweighs the calendar, older or not.
func TestDeviceOutweighsCalendar(t *testing.T) {
	calendar := Share{Document: Stamp(meeting(), Source{Publication: "calendar", Received: receivedAt(3)})}
	for status, activity := range map[Status]string{StatusDND: DoNotDisturb, StatusAway: Away} {
		own := Share{Document: Stamp(pc(status, ""), device("pc", 1))}
		if d := Compose(alice, own, calendar); !d.Persons[0].Does(activity) {
			t.Errorf("the calendar outweighs %s: %v", activity, d.Persons[0].ActivityNames())
		}
	}
}
