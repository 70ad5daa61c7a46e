// Package relay stands between two participants, ends TLS on both sides, and changes
// what they say to each other, for tests of what they make of it.
package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Meddler changes SIP traffic on its way from one participant to another,
// message by message: what it gives goes on instead. It must be safe for
// concurrent use; messages of one connection and direction come in order.
type Meddler func(from, to string, raw []byte) [][]byte

// Relay stands before a participant and passes on what comes for it, and back.
type Relay struct {
	From, To string // who dials, who is dialled; From "" is whoever owns the address
	Listener net.Listener
	Accept   *tls.Config // nil: no TLS
	Dial     *tls.Config
	Target   netip.AddrPort
	Who      func(netip.Addr) string
	Meddle   Meddler
	Delay    func() time.Duration // of each message; nil: none
}

// Addr is where it is dialled.
func (r *Relay) Addr() netip.AddrPort { return r.Listener.Addr().(*net.TCPAddr).AddrPort() }

// Run relays until ctx ends, and closes the listener.
func (r *Relay) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { r.Listener.Close() })
	defer stop()
	for {
		c, err := r.Listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() { r.pass(ctx, c) })
	}
}

// pass joins a connection with one to the target; both end together.
func (r *Relay) pass(ctx context.Context, near net.Conn) {
	defer near.Close()
	from := r.From
	if from == "" {
		from = r.Who(near.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
	}
	far, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Target.String())
	if err != nil {
		return
	}
	defer far.Close()
	if r.Accept != nil {
		near, far = tls.Server(near, r.Accept), tls.Client(far, r.Dial)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { defer cancel(); r.pump(from, r.To, near, far) })
	wg.Go(func() { defer cancel(); r.pump(r.To, from, far, near) })
	wg.Wait()
}

func (r *Relay) pump(from, to string, in io.Reader, out io.Writer) {
	source := bufio.NewReaderSize(in, maxHead)
	write, end := r.writer(out)
	defer end()
	for {
		raw, err := readMessage(source)
		if err != nil {
			return
		}
		for _, raw := range r.Meddle(from, to, raw) {
			if !write(raw) {
				return
			}
		}
	}
}

// writer writes messages to out, each after its delay and none before an earlier one;
// write says whether that goes on. end waits for what is on its way.
func (r *Relay) writer(out io.Writer) (write func([]byte) bool, end func()) {
	if r.Delay == nil {
		return func(raw []byte) bool { _, err := out.Write(raw); return err == nil }, func() {}
	}
	type late struct {
		raw []byte
		due time.Time
	}
	line, broken, written := make(chan late, 4096), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		for m := range line {
			time.Sleep(time.Until(m.due))
			if _, err := out.Write(m.raw); err != nil {
				close(broken)
				return
			}
		}
	}()
	write = func(raw []byte) bool {
		select {
		case line <- late{raw, time.Now().Add(r.Delay())}:
			return true
		case <-broken:
			return false
		}
	}
	return write, func() { close(line); <-written }
}

// What a relay reads of one message, at most.
const (
	maxHead = 64 << 10
	maxBody = 1 << 20
)

var errUnreadable = errors.New("no SIP message")

// readMessage reads a message from a stream (RFC 3261 section 18.3); the empty lines
// before one are a message of their own: nothing must come between the two of a ping.
func readMessage(in *bufio.Reader) ([]byte, error) {
	var raw []byte
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		raw = append(raw, line...)
		if len(raw) > maxHead {
			return nil, errUnreadable
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if len(raw) == len(line) {
				return emptyLines(in, raw), nil
			}
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimSpace(name); bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("l")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 || length > maxBody {
				return nil, errUnreadable
			}
		}
	}
	head := len(raw)
	raw = append(raw, make([]byte, length)...)
	_, err := io.ReadFull(in, raw[head:])
	return raw, err
}

// emptyLines adds those that have come with the first.
func emptyLines(in *bufio.Reader, raw []byte) []byte {
	for in.Buffered() >= 2 {
		if next, _ := in.Peek(2); string(next) != "\r\n" {
			break
		}
		raw = append(raw, '\r', '\n')
		_, _ = in.Discard(2) // they are there
	}
	return raw
}
