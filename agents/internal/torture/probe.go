package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/wire"
)

// Probe asks one endpoint and sees what crosses its sockets: its Tap is the
// endpoint's. By the tap, for most of the messages have their answers sent to a
// fixed port.
type Probe struct {
	mu   sync.Mutex
	all  []wire.Record
	news chan struct{}
	asks int
}

// NewProbe has seen nothing yet.
func NewProbe() *Probe { return &Probe{news: make(chan struct{}, 1)} }

// Tap takes the endpoint's records.
func (p *Probe) Tap(r wire.Record) {
	r.Raw = bytes.Clone(r.Raw)
	p.mu.Lock()
	p.all = append(p.all, r)
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Seen are the messages with that Call-ID which have crossed in that direction:
// responses or requests.
func (p *Probe) Seen(dir wire.Direction, id string, responses bool) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.all {
		if r.Direction == dir && bytes.HasPrefix(r.Raw, []byte("SIP/")) == responses && bytes.Contains(r.Raw, []byte(id)) {
			out = append(out, string(r.Raw))
		}
	}
	return out
}

// final is the status of the final response to a message, "" while there is none.
func (p *Probe) final(id string) string {
	for _, raw := range p.Seen(wire.Out, id, true) {
		if status := strings.Fields(raw)[1]; status >= "200" {
			return status
		}
	}
	return ""
}

// patience is how long something that has to come may take.
const patience = 20 * time.Second

// await is the status of the final response to a message; meanwhile it may be sent
// again.
func (p *Probe) await(t testing.TB, id string, again func()) (status string) {
	t.Helper()
	end, repeat := time.After(patience), time.NewTicker(time.Second)
	defer repeat.Stop()
	for {
		if status = p.final(id); status != "" {
			return status
		}
		select {
		case <-p.news:
		case <-repeat.C:
			again()
		case <-end:
			return ""
		}
	}
}

// Ask sends a message as it is, then an OPTIONS to uri that has to be answered, and
// gives the verdict: the status of the message's final response, silent, or waits
// for one whose end is not there; with ", closed" behind it where the connection is.
// want is the verdict expected: an answer is waited for, and silence is not.
func (p *Probe) Ask(t testing.TB, transport string, at netip.AddrPort, c Case, uri, want string) string {
	t.Helper()
	conn := dial(t, transport, at)
	defer func() { conn.Close() }()
	send(t, conn, c.Raw)
	var behind net.Conn // a connection for the OPTIONS, where the first one is not for it
	if want == "waits" {
		behind = dial(t, transport, at)
		defer behind.Close()
	}
	verdict := "silent"
	if want != "silent" && want != "waits" {
		if status := p.await(t, c.ID(), func() {}); status != "" {
			verdict = status
		}
	}
	p.asks++
	id := fmt.Sprintf("after-%d-%s", p.asks, strings.ToLower(transport))
	options := fmt.Sprintf("OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1;branch=z9hG4bK%s;rport\r\nMax-Forwards: 0\r\n"+
		"From: <sip:user@example.com>;tag=1\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", uri, transport, id, uri, id)
	switch {
	case behind != nil:
		send(t, behind, []byte(options))
	case strings.HasSuffix(want, ", closed"):
		if !closes(conn) {
			return verdict
		}
		verdict += ", closed"
		conn.Close()
		conn = dial(t, transport, at)
		send(t, conn, []byte(options))
	default:
		send(t, conn, []byte(options))
	}
	again := func() { // a datagram may be lost where many came
		if transport == "UDP" {
			send(t, conn, []byte(options))
		}
	}
	if p.await(t, id, again) == "" {
		t.Errorf("%s by %s: the OPTIONS behind it is not answered", c.Name, transport)
	}
	if status := p.final(c.ID()); verdict == "silent" && status != "" {
		return status
	}
	if want == "waits" && !open(conn) {
		return verdict + ", closed"
	} else if want == "waits" {
		return want
	}
	return verdict
}

func dial(t testing.TB, transport string, at netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial(strings.ToLower(transport), at.String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t testing.TB, conn net.Conn, raw []byte) {
	t.Helper()
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
}

// closes says whether the far end closes the connection.
func closes(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// open says whether the far end has not closed it so far.
func open(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}
