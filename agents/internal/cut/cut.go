// Package cut is a TCP link that can be cut, for tests of what goes on meanwhile.
package cut

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
)

// State is what becomes of a link's connections.
type State int

// The states.
const (
	Whole   State = iota // bytes pass
	Silent               // bytes wait, and new connections do: as where packets are lost
	Refused              // connections are closed, new ones at once
)

// Link passes connections on to a target.
type Link struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	state   State
	closed  bool
	open    map[net.Conn]bool
}

// New listens on a free loopback port for who wants the target.
func New(target string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, target: target, open: map[net.Conn]bool{}}
	l.changed = sync.NewCond(&l.mu)
	l.wg.Go(l.accept)
	return l, nil
}

// Addr is where the link is entered.
func (l *Link) Addr() netip.AddrPort { return l.listener.Addr().(*net.TCPAddr).AddrPort() }

// Set cuts the link or heals it. What waited while it was Silent goes on once it
// is Whole.
func (l *Link) Set(s State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
	if s == Refused {
		l.closeAll()
	}
	l.changed.Broadcast()
}

// Close ends the link and its connections.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	err := l.listener.Close()
	l.closeAll()
	l.changed.Broadcast()
	l.mu.Unlock()
	l.wg.Wait()
	return err
}

func (l *Link) closeAll() {
	for c := range l.open {
		c.Close()
	}
}

// take notes a connection, so that it ends with the link; false: the link has
// been cut.
func (l *Link) take(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.state == Refused {
		c.Close()
		return false
	}
	l.open[c] = true
	return true
}

func (l *Link) give(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	c.Close()
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && l.take(near) {
			l.wg.Go(func() { l.join(near) })
		}
	}
}

// join joins a connection with one to the target; both end together.
func (l *Link) join(near net.Conn) {
	defer l.give(near)
	far, err := net.Dial("tcp", l.target)
	if err != nil || !l.take(far) {
		return
	}
	defer l.give(far)
	var both sync.WaitGroup
	both.Go(func() { defer far.Close(); defer near.Close(); l.pass(near, far) })
	both.Go(func() { defer far.Close(); defer near.Close(); l.pass(far, near) })
	both.Wait()
}

// pass hands on what comes, when it may.
func (l *Link) pass(from io.Reader, to io.Writer) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err == nil {
			l.mu.Lock()
			for l.state == Silent && !l.closed {
				l.changed.Wait()
			}
			l.mu.Unlock()
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}
