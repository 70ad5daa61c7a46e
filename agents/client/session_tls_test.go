package client_test

import (
	"strings"
	"sync"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/wire"
)

// TestSessionsByTLS: what is said in a session by TLS is not in the clear, early
// or not, and the one who is asked answers in kind.
func TestSessionsByTLS(t *testing.T) {
	for name, answer := range map[string]client.Answer{"at once": client.AnswerAuto, "early": client.AnswerEarly} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var clear []string
			offers, frames := 0, 0
			tap := func(r wire.Record) {
				mu.Lock()
				defer mu.Unlock()
				if r.Protocol == wire.MSRP {
					frames++
					if r.Transport != "TLS" {
						clear = append(clear, string(r.Raw))
					}
				} else if text := string(r.Raw); strings.Contains(text, "m=message") {
					offers++
					if strings.Count(text, "TCP/TLS/MSRP") != strings.Count(text, "m=message") || !strings.Contains(text, "a=fingerprint:sha-256 ") || strings.Contains(text, "a=path:msrp:") {
						clear = append(clear, text)
					}
				}
			}
			bob := newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) { c.Answer = answer })
			alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), func(c *client.Config) { c.Tap, c.SecureMedia = tap, true })
			s, err := alice.IM(timeout(t), "bob", "Between us")
			if err != nil {
				t.Fatal(err)
			}
			bob.next("session")
			if e := bob.next("im"); e.Text != "Between us" {
				t.Errorf("%+v", e)
			}
			for _, ringing := range bob.Sessions() {
				if answer == client.AnswerEarly {
					if err := ringing.Accept(timeout(t)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := s.Answered(timeout(t)); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(timeout(t), "And this"); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(timeout(t)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(clear) > 0 || offers < 2 || frames < 4 {
				t.Errorf("%d descriptions, %d frames, in the clear: %q", offers, frames, clear)
			}
		})
	}
}
