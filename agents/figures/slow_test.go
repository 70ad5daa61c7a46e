package figures

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowCount is the variable that says how many connections TestSlowConnections has, as
// 5000.
const slowCount = "PRESFED_SLOW"

// TestSlowConnections has many connections that are idle or send a byte a second, and
// watchers that answer nothing or read nothing: the others are served as before.
func TestSlowConnections(t *testing.T) {
	count, length := 200, 1500*time.Millisecond
	long := os.Getenv(slowCount) != ""
	if long {
		count, length = number(t, slowCount, 0), 20*time.Second
	}
	server := newStormServer(t.Context(), t, 300)
	s := newStorm(t, netip.MustParseAddrPort(server.tcp), netip.MustParseAddrPort(server.link), 300, 6)
	s.setUp()
	const perSecond = 200
	fmt.Printf("\n| | requests a second | p50 | p99 | resident | processor |\n|---|---|---|---|---|---|\n")
	measure := func(what string) time.Duration {
		t.Helper()
		worked := server.worked()
		p := s.rate(perSecond, length, nil)
		cpu := 100 * (server.worked() - worked).Seconds() / p.ended.Sub(p.began).Seconds()
		if p.good != p.offered {
			t.Errorf("%s: %d of %d requests answered 2xx; %v", what, p.good, p.offered, p.statuses)
		}
		p99 := quantile(p.took, 99)
		fmt.Printf("| %s | %d | %s | %s | %d MiB | %.0f %% |\n", what, perSecond, quantile(p.took, 50), p99, server.resident(), cpu)
		return p99
	}
	before := measure("nobody else")
	// A tenth of a second is no difference that others make on a machine that is shared.
	most := max(2*before, 100*time.Millisecond)
	if long {
		most = max(2*before, before+5*time.Millisecond)
	}

	slow := newSlow(t, server.tcp, count)
	if p99 := measure(fmt.Sprintf("%d idle connections, %d of a byte a second", count/2, count-count/2)); p99 > most {
		t.Errorf("slow connections: p99 %s, before %s", p99, before)
	}
	if n := slow.open(); n < count*9/10 {
		t.Errorf("%d connections are open, want %d", n, count)
	}
	slow.close()

	answers, reads := newDeaf(t, server.tcp, "u1", "u0", 1, true), newDeaf(t, server.tcp, "u2", "u0", 500, false)
	if p99 := measure("watchers of whom one answers nothing and one reads nothing"); p99 > most {
		t.Errorf("deaf watchers: p99 %s, before %s", p99, before)
	}
	if long { // Timer F, after 32 seconds
		subscriptions := func() int { return server.metrics().sum("presfed_subscriptions") }
		held, end := subscriptions(), time.Now().Add(time.Minute)
		for held > 0 && time.Now().Before(end) {
			time.Sleep(100 * time.Millisecond)
			held = subscriptions()
		}
		fmt.Printf("\nA minute after the first NOTIFYs at most, %d of the deaf watchers' 501 subscriptions are left.\n", held)
		if held > 0 {
			t.Errorf("%d subscriptions are left", held)
		}
	}
	answers.Close()
	reads.Close()
}

// slowConns are connections of which half are idle and half send a byte a second of a
// request without end. One that the server ends is made anew.
type slowConns struct {
	close func()
	open  func() int
}

func newSlow(t *testing.T, at string, count int) *slowConns {
	t.Helper()
	conns := make([]net.Conn, count)
	var mu sync.Mutex
	stop, stopped := make(chan struct{}), make(chan struct{})
	dial := func(i int) {
		// Each address is allowed so many.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%50))}, Timeout: 5 * time.Second}
		c, err := d.Dial("tcp", at)
		if err != nil {
			t.Error(err)
			return
		}
		if i%2 == 0 {
			fmt.Fprintf(c, "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKslow%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: slow%[2]d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", c.LocalAddr(), i)
		}
		mu.Lock()
		conns[i] = c
		mu.Unlock()
	}
	for i := range conns {
		dial(i)
	}
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for i := 1; i < count; i += 2 {
				if conns[i] == nil {
					dial(i)
					continue
				}
				_ = conns[i].SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := conns[i].Write([]byte("x")); err != nil {
					conns[i].Close()
					mu.Lock()
					conns[i] = nil
					mu.Unlock()
				}
			}
		}
	}()
	s := &slowConns{open: func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			if c != nil {
				n++
			}
		}
		return n
	}}
	s.close = sync.OnceFunc(func() {
		close(stop)
		<-stopped
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	})
	t.Cleanup(s.close)
	return s
}

// newDeaf watches so many times over one connection and answers none of the NOTIFYs;
// it may not read them either.
func newDeaf(t *testing.T, at, watcher, user string, times int, reads bool) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	if reads {
		go func() {
			b := make([]byte, 4096)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}()
	}
	for i := range times {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(c, "SUBSCRIBE sip:%[1]s@example.com SIP/2.0\r\nVia: SIP/2.0/TCP %[2]s;branch=z9hG4bKdeaf%[3]d\r\nMax-Forwards: 70\r\nFrom: <sip:%[4]s@example.com>;tag=%[3]d\r\nTo: <sip:%[1]s@example.com>\r\n"+
			"Call-ID: deaf-%[4]s-%[3]d\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:%[4]s@%[2]s;transport=tcp>\r\nEvent: presence\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n", user, c.LocalAddr(), i, watcher); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
			break
		}
	}
	return c
}

// TestFewFiles: a server that may open few files takes as many connections as those
// are for. It neither spins nor stops: who has one is served, and others are once there
// is room.
func TestFewFiles(t *testing.T) {
	const files = 80
	server := startStormServer(t.Context(), t, []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files)}, 8)
	s := newStorm(t, netip.MustParseAddrPort(server.tcp), netip.MustParseAddrPort(server.link), 8, 4)
	s.setUp()
	var crowd []net.Conn
	for range 2 * files {
		c, err := net.Dial("tcp", server.tcp)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		crowd = append(crowd, c)
	}
	// Those who said nothing yet go for newcomers, whichever they are.
	var over atomic.Int64
	enough := make(chan struct{})
	for _, c := range crowd {
		go func() {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) && over.Add(1) == files {
				close(enough)
			}
		}()
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Errorf("%d of %d connections too many were refused", over.Load(), files)
	}
	worked := server.worked()
	p := s.rate(20, 500*time.Millisecond, nil)
	if p.good != p.offered {
		t.Errorf("%d of %d requests answered 2xx: %v", p.good, p.offered, p.statuses)
	}
	if cpu := server.worked() - worked; cpu > 400*time.Millisecond {
		t.Errorf("it is busy for %s", cpu)
	}
	for _, c := range crowd {
		c.Close()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until it has noticed
		c, err := net.Dial("tcp", server.tcp)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKroom\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: room\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", c.LocalAddr())
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 12)
		_, err = c.Read(b)
		c.Close()
		if err == nil && string(b) == "SIP/2.0 200 " {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody is let in any more: %v, %q", err, b)
		}
	}
}
