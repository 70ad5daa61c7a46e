package msrp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// patience is the most a test waits for what must come.
const patience = 10 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startEndpoint runs an endpoint until the test ends.
func startEndpoint(t *testing.T, cfg Config) *Endpoint {
	t.Helper()
	if !cfg.Listen.IsValid() {
		cfg.Listen = loopback
	}
	e, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return e
}

func newSession(t *testing.T, e *Endpoint, cfg SessionConfig) *Session {
	t.Helper()
	s, err := e.NewSession(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inbox is a SessionConfig's OnMessage and OnReport that collect.
type inbox struct {
	messages chan Message
	reports  chan Report
}

func newInbox() *inbox { return &inbox{make(chan Message, 1000), make(chan Report, 1000)} }

func (b *inbox) config() SessionConfig {
	return SessionConfig{OnMessage: func(m Message) { b.messages <- m }, OnReport: func(r Report) { b.reports <- r }}
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// pair are two sessions of two endpoints that talk to each other; a connected.
func pair(t *testing.T, a, b *Endpoint, ca, cb SessionConfig) (*Session, *Session) {
	t.Helper()
	sa, sb := newSession(t, a, ca), newSession(t, b, cb)
	if err := sb.Start(testContext(t), sa.Describe(SetupActpass), Passive); err != nil {
		t.Fatal(err)
	}
	if err := sa.Start(testContext(t), sb.Describe(SetupPassive), Active); err != nil {
		t.Fatal(err)
	}
	await(t, sb.Ready())
	return sa, sb
}

// peer is the other end, by hand.
type peer struct {
	t    *testing.T
	conn net.Conn
	r    *Reader
	uri  string
}

const peerURI = "msrp://127.0.0.1:9/peer0000000000000000;tcp"

func newPeer(t *testing.T, conn net.Conn) *peer {
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &peer{t: t, conn: conn, r: NewReader(conn, Limits{}), uri: peerURI}
}

// dialPeer connects to an endpoint.
func dialPeer(t *testing.T, e *Endpoint) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

// listenPeer waits to be connected to; its URI is valid at once.
func listenPeer(t *testing.T) (uri string, accept func() *peer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	uri = "msrp://" + ln.Addr().String() + "/peer0000000000000000;tcp"
	return uri, func() *peer {
		t.Helper()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, conn)
		p.uri = uri
		return p
	}
}

func describe(t *testing.T, uri string) Description {
	t.Helper()
	p, err := ParsePath(uri)
	if err != nil {
		t.Fatal(err)
	}
	return Description{Path: p}
}

// send writes text with CRLF for its line ends; {our} and {peer} in it stand for
// the two URIs.
func (p *peer) send(our *Session, text string) {
	p.t.Helper()
	text = strings.NewReplacer("{our}", our.LocalPath().String(), "{peer}", p.uri).Replace(crlf(text))
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// frame is the next one, whole.
func (p *peer) frame() (*Frame, string, Flag) {
	p.t.Helper()
	f, err := p.r.Next()
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(p.r)
	if err != nil {
		p.t.Fatal(err)
	}
	return f, string(body), p.r.Flag()
}

// expect reads the next frame as it is on the wire, line by line.
func (p *peer) expect(our *Session, text string) {
	p.t.Helper()
	f, body, flag := p.frame()
	want := strings.NewReplacer("{our}", our.LocalPath().String(), "{peer}", p.uri).Replace(crlf(text))
	if got := string(f.Append(nil, []byte(body), flag)); got != want {
		p.t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

// answer reads one request and says 200.
func (p *peer) answer(our *Session) *Frame {
	p.t.Helper()
	f, _, _ := p.frame()
	p.respond(our, f, "200 OK")
	return f
}

func (p *peer) respond(our *Session, f *Frame, status string) {
	p.t.Helper()
	p.send(our, "MSRP "+f.Transaction+" "+status+"\nTo-Path: {our}\nFrom-Path: {peer}\n-------"+f.Transaction+"$\n")
}

// closed: nothing more comes, and the connection ends.
func (p *peer) closed() {
	p.t.Helper()
	if f, err := p.r.Next(); err == nil {
		p.t.Fatalf("still talking: %+v", f)
	} else if errors.Is(err, context.DeadlineExceeded) {
		p.t.Fatal("still open")
	}
}

// records collects an endpoint's tap.
type records struct {
	mu   sync.Mutex
	list []wire.Record
	more chan struct{}
}

func newRecords() *records { return &records{more: make(chan struct{}, 1)} }

func (r *records) tap(x wire.Record) {
	x.Raw = bytes.Clone(x.Raw)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
	signal(r.more)
}

func (r *records) all() []wire.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// await waits until there are n: a frame is recorded after its write, and may
// be answered by then.
func (r *records) await(t *testing.T, n int) []wire.Record {
	t.Helper()
	for len(r.all()) < n {
		await(t, r.more)
	}
	return r.all()
}
