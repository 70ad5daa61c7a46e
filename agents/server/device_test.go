package server_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
)

// lines takes a log line by line.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestOneDeviceOfTwoIsGone: what a device misses waits for that device. Another
// one of the user's is told at once, and its registration is not taken for it;
// the one that comes back with its contact hears the newest state, by the
// connection it came back by.
func TestOneDeviceOfTwoIsGone(t *testing.T) {
	log := make(lines, 10_000)
	b := federatedWith(t, func(c *server.Config) {
		believing(c)
		c.PeerRetry = time.Hour
		c.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere.Close()
	watch := func(p *phone) {
		p.register()
		heard := p.ask(p.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "3600"))
		p.take("NOTIFY", 200)
		final(t, heard, 200)
	}
	gone, there := b.phone("alice", "a", "TCP"), b.phone("alice", "a", "TCP")
	gone.at = nowhere.Addr().String()
	watch(gone)
	watch(there)
	publish := func(note string) {
		t.Helper()
		req := there.request("PUBLISH", "alice", "Event", "presence", "Expires", "3600", "Content-Type", "application/pidf+xml")
		message.SetBody(req, "", []byte(strings.ReplaceAll(string(status("open", note).Body), "sip:bob@", "sip:alice@")))
		heard := there.ask(req)
		if got := string(there.take("NOTIFY", 200).Body()); !strings.Contains(got, note) {
			t.Errorf("want %s, and she is told\n%s", note, got)
		}
		final(t, heard, 200)
	}
	publish("first")
	if got := string(gone.take("NOTIFY", 200).Body()); !strings.Contains(got, "first") {
		t.Errorf("before: %s", got)
	}
	gone.stop()
	publish("second")
	suspended := 0
	for suspended == 0 {
		if strings.Contains(next(t, log), "subscription suspended") {
			suspended++
		}
	}
	there.register()
	publish("third")

	back := b.phone("alice", "a", "TCP")
	back.at, back.cseq = gone.at, 100
	back.register()
	if got := string(back.take("NOTIFY", 200).Body()); !strings.Contains(got, "third") {
		t.Errorf("she comes back and is told\n%s", got)
	}
	for len(log) > 0 {
		if strings.Contains(<-log, "subscription suspended") {
			suspended++
		}
	}
	if suspended != 1 {
		t.Errorf("tried, and suspended, %d times", suspended)
	}
}
