package composing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/composing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The RFC's examples (section 5), and others that its schema allows.
var documents = []struct {
	name, doc string
	want      composing.Status
}{
	{"the first example", `<?xml version="1.0" encoding="UTF-8"?>
   <isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"
   xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
   xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing
   iscomposing.xsd">
     <state>active</state>
     <contenttype>text/plain</contenttype>
     <refresh>90</refresh>
   </isComposing>`, composing.Status{Active: true, ContentType: "text/plain", Refresh: 90 * time.Second}},
	{"the second example", `<?xml version="1.0" encoding="UTF-8"?>
   <isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"
   xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
   xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing
   iscomposing.xsd">
     <state>idle</state>
     <lastactive>2003-01-27T10:43:00Z</lastactive>
     <contenttype>audio</contenttype>
   </isComposing>`, composing.Status{LastActive: time.Date(2003, 1, 27, 10, 43, 0, 0, time.UTC), ContentType: "audio"}},
	{"a state to come is idle", `<c:isComposing xmlns:c="urn:ietf:params:xml:ns:im-iscomposing"><c:state>pondering</c:state></c:isComposing>`, composing.Status{}},
	{"extensions", `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:x="urn:x"><state>active</state><refresh>+0060</refresh><x:a><x:b/></x:a></isComposing>`,
		composing.Status{Active: true, Refresh: time.Minute}},
	{"an offset", `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><lastactive>2003-01-27T10:43:00.5-01:00</lastactive></isComposing>`,
		composing.Status{Active: true, LastActive: time.Date(2003, 1, 27, 11, 43, 0, 500_000_000, time.UTC)}},
	{"longer than anybody waits", `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><refresh>99999999999999999999999</refresh></isComposing>`,
		composing.Status{Active: true, Refresh: (1<<31 - 1) * time.Second}},
}

func TestDocuments(t *testing.T) {
	for _, d := range documents {
		got, err := composing.Parse([]byte(d.doc))
		if err != nil || !cmp.Equal(got, d.want) {
			t.Errorf("%s: %+v, %v", d.name, got, err)
		}
		if again, err := composing.Parse(got.Marshal()); err != nil || !cmp.Equal(again, d.want) {
			t.Errorf("%s, written and read: %+v, %v", d.name, again, err)
		}
	}
}

func TestRefused(t *testing.T) {
	const open = `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">`
	for name, doc := range map[string]string{
		"no XML":          "active",
		"another root":    `<composing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></composing>`,
		"no namespace":    `<isComposing><state>active</state></isComposing>`,
		"no state":        open + `<refresh>60</refresh></isComposing>`,
		"two states":      open + `<state>active</state><state>idle</state></isComposing>`,
		"refresh of 0":    open + `<state>active</state><refresh>0</refresh></isComposing>`,
		"negative":        open + `<state>active</state><refresh>-1</refresh></isComposing>`,
		"a document type": `<!DOCTYPE a [<!ENTITY b "c">]>` + open + `<state>&b;</state></isComposing>`,
		"large":           open + `<state>active</state><contenttype>` + strings.Repeat("x", 1<<20) + `</contenttype></isComposing>`,
	} {
		if s, err := composing.Parse([]byte(doc)); err == nil {
			t.Errorf("%s was taken: %+v", name, s)
		}
	}
}

func FuzzStatus(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d.doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := composing.Parse(doc)
		if err != nil {
			return
		}
		if again, err := composing.Parse(s.Marshal()); err != nil || !cmp.Equal(again, s) {
			t.Errorf("%+v, then %+v, %v", s, again, err)
		}
	})
}

// script runs a composer or receiver by a clock's hand; each step's effect is
// compared.
type step struct {
	after time.Duration
	do    func()
	want  string // what happened, in order
}

func play(t *testing.T, c *clock.Manual, happened *[]string, steps []step) {
	t.Helper()
	for i, s := range steps {
		c.Advance(s.after)
		if s.do != nil {
			s.do()
		}
		if got := strings.Join(*happened, " "); got != s.want {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
		*happened = nil
	}
}

// Figure 1 of RFC 3994.
func TestComposer(t *testing.T) {
	c := clock.NewManual(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	var sent []string
	composer := composing.NewComposer(composing.ComposerConfig{Clock: c, Refresh: time.Second, Send: func(s composing.Status) {
		switch {
		case s.Active && s.Refresh != time.Minute:
			t.Errorf("a refresh of %s, the least is a minute", s.Refresh)
		case s.Active:
			sent = append(sent, "active")
		default:
			sent = append(sent, "idle")
		}
	}})
	typing := func() { composer.Composing("text/plain") }
	play(t, c, &sent, []step{
		{0, composer.Sent, ""},
		{0, typing, "active"},
		{10 * time.Second, typing, ""},
		{14 * time.Second, typing, ""},        // the idle time-out begins anew
		{15*time.Second - 1, nil, ""},         //
		{1, nil, "idle"},                      //
		{time.Hour, nil, ""},                  // no refresh in idle state
		{0, typing, "active"},                 //
		{5 * time.Second, composer.Sent, ""},  // a content message needs no idle
		{time.Hour, nil, ""},                  //
		{0, typing, "active"},                 // and 70 s of typing
		{14 * time.Second, typing, ""},        //
		{14 * time.Second, typing, ""},        //
		{14 * time.Second, typing, ""},        //
		{14 * time.Second, typing, ""},        //
		{4 * time.Second, nil, "active"},      // the refresh
		{10 * time.Second, typing, ""},        //
		{10 * time.Second, composer.Stop, ""}, // 415
		{time.Second, typing, ""},             // nothing any more
		{time.Hour, composer.Sent, ""},        //
	})
}

// kept is a clock that shows what its timers call.
type kept struct {
	*clock.Manual
	calls *[]func()
}

func (k kept) AfterFunc(d time.Duration, f func()) clock.Timer {
	*k.calls = append(*k.calls, f)
	return k.Manual.AfterFunc(d, f)
}

// Who goes on typing just as the idle time-out is over is not idle, and is so once when
// she stops.
func TestActivityAtTheIdleTimeout(t *testing.T) {
	c := clock.NewManual(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	var calls []func()
	var sent []string
	composer := composing.NewComposer(composing.ComposerConfig{Clock: kept{c, &calls}, Send: func(s composing.Status) {
		sent = append(sent, map[bool]string{true: "active", false: "idle"}[s.Active])
	}})
	typing := func() { composer.Composing("text/plain") }
	play(t, c, &sent, []step{
		{0, typing, "active"},
		{14 * time.Second, typing, ""},
		{0, func() { calls[0]() }, ""}, // the timer of before, which waited for its turn
		{15*time.Second - 1, nil, ""},
		{1, nil, "idle"},
		{time.Hour, nil, ""},
	})
}

// Figure 2 of RFC 3994.
func TestReceiver(t *testing.T) {
	c := clock.NewManual(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	var changes []string
	r := composing.NewReceiver(c, func(s composing.Status) {
		changes = append(changes, map[bool]string{true: "active", false: "idle"}[s.Active])
	})
	active := func() { r.Status(composing.Status{Active: true}) }
	every := func(d time.Duration) func() {
		return func() { r.Status(composing.Status{Active: true, Refresh: d}) }
	}
	idle := func() { r.Status(composing.Status{}) }
	play(t, c, &changes, []step{
		{0, idle, ""},
		{0, r.Content, ""},
		{0, active, "active"},
		{119 * time.Second, active, ""}, // several in a row, whenever they come
		{119 * time.Second, nil, ""},
		{time.Second, nil, "idle"}, // 120 s
		{0, every(90 * time.Second), "active"},
		{time.Second, every(10 * time.Second), ""}, // the most recent one counts
		{10*time.Second - 1, nil, ""},
		{1, nil, "idle"},
		{0, every(90 * time.Second), "active"},
		{time.Second, idle, "idle"},
		{0, every(90 * time.Second), "active"},
		{time.Second, r.Content, "idle"},
		{time.Hour, nil, ""},
		{0, every(1000 * time.Hour), "active"}, // no state is believed for ever
		{time.Hour, nil, "idle"},
		{0, active, "active"},
		{0, r.Stop, ""},
		{time.Hour, nil, ""},
	})
}
