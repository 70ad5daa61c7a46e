package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"presfed/agents/client"
)

// sendIM runs one and gives its exit code and what it printed.
func sendIM(t *testing.T, at string, args ...string) (code int, events []client.Event, said string) {
	t.Helper()
	var out, talk bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &talk, func(string) (string, bool) { return "", false })
	code = execute(context.WithoutCancel(t.Context()), append([]string{"send-im", "bob", "--user", "alice@example.com", "--server", at, "--json"}, args...), con)
	for line := range strings.Lines(out.String()) {
		var e client.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	return code, events, out.String() + talk.String()
}

// send-im waits for the notices that it asked for, by MESSAGE and in a session; what
// does not come in time is exit code 4.
func TestNotify(t *testing.T) {
	_, at, _ := oneServer(t)
	for _, by := range []string{"page", "session"} {
		bob := drive(t, "bob-pc", "--server", at, "--answer", "auto", "--notices", "delivery,display")
		bob.until("ready")
		args := []string{"Hello", "--notify", "delivery,display", "--timeout", "20s"}
		if by == "page" {
			args = append(args, "--page")
		}
		code, events, said := sendIM(t, at, args...)
		var id string
		got := map[string]string{}
		for _, e := range events {
			switch e.Type {
			case "sent":
				id = e.MessageID
			case "notice":
				got[string(e.Notice)] = e.State + " " + e.From + " " + e.Reason
			}
		}
		for _, e := range events {
			if e.Type == "notice" && e.MessageID != id {
				t.Errorf("by %s: a notice of %q, the message is %q", by, e.MessageID, id)
			}
		}
		if code != exitDone || len(got) != 2 || got["delivery"] != "delivered sip:bob@example.com " || got["display"] != "displayed sip:bob@example.com " {
			t.Errorf("by %s: exit code %d, %v\n%s", by, code, got, said)
		}
		if e := bob.until("im"); e.Text != "Hello" || e.Via != by || e.MessageID != id || len(e.Notify) != 2 {
			t.Errorf("%+v", e)
		}
		bob.quit()
	}
}

func TestNotifyInVain(t *testing.T) {
	s, at, _ := oneServer(t)
	bob := drive(t, "bob-pc", "--server", at, "--answer", "auto", "--notices", "none")
	bob.until("ready")
	code, _, said := sendIM(t, at, "Hello", "--notify", "delivery", "--page", "--timeout", "1s")
	if code != exitTimeout || !strings.Contains(said, "no notice of delivery within 1s") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	if n := len(s.Bindings("alice@example.com")); n != 0 {
		t.Errorf("%d bindings are left", n)
	}
	bob.quit()
}

// An agent says that it was read when it is told to, and that it composes.
func TestDisplayedAndComposing(t *testing.T) {
	_, at, _ := oneServer(t)
	bob := drive(t, "bob-pc", "--server", at)
	bob.until("ready")
	alice := drive(t, "alice-pc", "--server", at, "--notify", "delivery,display", "--subject", "tea")
	alice.until("ready")
	alice.tell("composing bob")
	if e := bob.until("composing"); e.State != "active" || e.From != "sip:alice@example.com" || e.Via != "page" {
		t.Errorf("%+v", e)
	}
	alice.tell("page bob Hello")
	if e := bob.until("composing"); e.State != "idle" {
		t.Errorf("%+v", e)
	}
	if e := bob.until("im"); e.Subject != "tea" || e.Text != "Hello" {
		t.Errorf("%+v", e)
	}
	if e := alice.until("notice"); e.Notice != "delivery" || e.State != "delivered" {
		t.Errorf("%+v", e)
	}
	bob.tell("displayed alice")
	if e := alice.until("notice"); e.Notice != "display" || e.State != "displayed" || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	alice.quit()
	bob.quit()
}
