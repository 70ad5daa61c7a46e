package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"presfed/agents/client"
	"presfed/agents/server"
)

// journal is where servers log at once.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// One Call-ID tells a request's way through both servers; passwords and what is
// made of them are nowhere.
func TestLogsFollowACallID(t *testing.T) {
	logs := &journal{}
	b := federatedWith(t, func(c *server.Config) {
		c.Log = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})).With("server", c.Name)
	})
	alice, heard := b.device("alice", "a")
	sub, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: 600e9})
	if err != nil {
		t.Fatal(err)
	}
	await(t, heard, "a notification", func(e client.Event) bool { return e.Type == "presence" })
	if err := sub.Unsubscribe(timeout(t)); err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{} // by Call-ID
	for line := range strings.Lines(logs.String()) {
		var l struct {
			Server, Msg, Method string
			CallID              string `json:"call_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.CallID != "" {
			said[l.CallID] = append(said[l.CallID], l.Server+" "+l.Msg+" "+l.Method)
		}
		for _, secret := range []string{"secret", `response=`, "Authorization"} {
			if strings.Contains(line, secret) {
				t.Errorf("the log holds %q: %s", secret, line)
			}
		}
	}
	for id, lines := range said {
		if slices.Contains(lines, "server-a passed on SUBSCRIBE") {
			for _, want := range []string{"server-a request SUBSCRIBE", "server-b request SUBSCRIBE", "server-a answered SUBSCRIBE", "server-a request NOTIFY"} {
				if !slices.Contains(lines, want) {
					t.Errorf("%s: no %q in %q", id, want, lines)
				}
			}
			return
		}
	}
	t.Fatalf("no SUBSCRIBE was passed on: %v", said)
}
