package bed

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
)

// Meddler changes SIP traffic on its way from one participant to another,
// message by message: what it gives goes on instead. It must be safe for
// concurrent use; messages of one connection and direction come in order.
type Meddler func(from, to string, raw []byte) [][]byte

// relay stands before a participant and passes on what comes for it, and back.
type relay struct {
	from, to string // who dials, who is dialled; from "" is whoever owns the address
	listener net.Listener
	accept   *tls.Config // nil: no TLS
	dial     *tls.Config
	target   netip.AddrPort
	who      func(netip.Addr) string
	meddle   Meddler
}

func (r *relay) addr() netip.AddrPort { return r.listener.Addr().(*net.TCPAddr).AddrPort() }

// run relays until ctx ends.
func (r *relay) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { r.listener.Close() })
	defer stop()
	for {
		c, err := r.listener.Accept()
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
func (r *relay) pass(ctx context.Context, near net.Conn) {
	defer near.Close()
	from := r.from
	if from == "" {
		from = r.who(near.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
	}
	far, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.target.String())
	if err != nil {
		return
	}
	defer far.Close()
	if r.accept != nil {
		near, far = tls.Server(near, r.accept), tls.Client(far, r.dial)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { defer cancel(); r.pump(from, r.to, near, far) })
	wg.Go(func() { defer cancel(); r.pump(r.to, from, far, near) })
	wg.Wait()
}

func (r *relay) pump(from, to string, in io.Reader, out io.Writer) {
	source := bufio.NewReaderSize(in, maxHead)
	for {
		raw, err := readMessage(source)
		if err != nil {
			return
		}
		for _, raw := range r.meddle(from, to, raw) {
			if _, err := out.Write(raw); err != nil {
				return
			}
		}
	}
}

// What a relay reads of one message, at most.
const (
	maxHead = 64 << 10
	maxBody = 1 << 20
)

var errUnreadable = errors.New("no SIP message")

// readMessage reads a message from a stream (RFC 3261 section 18.3); an empty
// line before one is a message of its own.
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
