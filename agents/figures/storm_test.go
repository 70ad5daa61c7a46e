package figures

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// storm is users who log in, publish and watch, as cheaply as can be: requests are
// written and answers read as bytes. Each user has one request under way at most.
type storm struct {
	t     *testing.T
	lines []*stormLine
	users []*stormUser

	mu    sync.Mutex
	free  []*stormUser // nothing of theirs is under way
	open  map[uint64]*stormRequest
	last  uint64
	phase *stormPhase
}

type stormUser struct {
	name, watches string
	line          *stormLine
	etag          string
	seq           int
	turn          int // what she does next
}

type stormRequest struct {
	user    *stormUser
	raw     []byte
	due     time.Time // when it was to be sent
	resend  time.Time // over UDP (RFC 3261 section 17.1.2)
	every   time.Duration
	phase   *stormPhase
	done    chan struct{} // nil: nobody waits
	publish bool
}

func newStorm(t *testing.T, tcp, udp netip.AddrPort, users, lines int) *storm {
	t.Helper()
	s := &storm{t: t, open: map[uint64]*stormRequest{}}
	s.begin()
	for i := range lines {
		transport, at := []string{"tcp", "udp"}[i%2], []netip.AddrPort{tcp, udp}[i%2]
		c, err := net.Dial(transport, at.String())
		if err != nil {
			t.Fatal(err)
		}
		l := &stormLine{Conn: c, transport: transport, contact: c.LocalAddr().String(), out: make(chan []byte, 4096)}
		s.lines = append(s.lines, l)
		t.Cleanup(func() { c.Close(); close(l.out) })
		go l.write()
		if transport == "tcp" {
			go s.readStream(l)
		} else {
			go s.readDatagrams(l)
		}
	}
	for i := range users {
		u := &stormUser{name: fmt.Sprint("u", i), watches: fmt.Sprint("u", (i+1)%users), line: s.lines[i%lines], turn: i % 3}
		s.users = append(s.users, u)
		s.free = append(s.free, u)
	}
	return s
}

// ask sends the next request of somebody who has none under way; false: nobody.
func (s *storm) ask(due time.Time, done chan struct{}) bool {
	s.mu.Lock()
	if len(s.free) == 0 {
		s.mu.Unlock()
		return false
	}
	u := s.free[0]
	s.free = s.free[1:]
	s.last++
	id := s.last
	u.seq++
	r := &stormRequest{user: u, due: due, phase: s.phase, done: done, every: 500 * time.Millisecond}
	r.resend = due.Add(r.every)
	u.turn++
	r.raw = u.request(u.turn%3, id, &r.publish)
	s.phase.offered++
	s.open[id] = r
	s.mu.Unlock()
	if !u.line.send(r.raw) {
		s.mu.Lock()
		r.phase.unread++
		delete(s.open, id)
		s.free = append(s.free, u)
		s.mu.Unlock()
		if done != nil {
			close(done)
		}
	}
	return true
}

// begin is a new phase, of which requests from now on count.
func (s *storm) begin() *stormPhase {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = &stormPhase{began: time.Now(), statuses: map[int]int{}}
	return s.phase
}

// closed has so many requests under way at all times, for a while.
func (s *storm) closed(atOnce int, length time.Duration) *stormPhase {
	p := s.begin()
	end := p.began.Add(length)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for time.Now().Before(end) {
				done := make(chan struct{})
				if !s.ask(time.Now(), done) {
					return
				}
				s.wait(done)
			}
		})
	}
	wg.Wait()
	p.ended = time.Now()
	return p
}

func (s *storm) wait(done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(500 * time.Millisecond):
			s.again()
		}
	}
}

// rate sends so many a second, whatever becomes of them, for a while; then it waits
// for what is under way.
func (s *storm) rate(perSecond float64, length time.Duration, each func(p *stormPhase)) *stormPhase {
	p := s.begin()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	sent, looked := 0, time.Time{}
	for now := range tick.C {
		since := now.Sub(p.began)
		if since >= length {
			break
		}
		for due := int(perSecond * since.Seconds()); sent < due; sent++ {
			if !s.ask(p.began.Add(time.Duration(float64(sent)/perSecond*float64(time.Second))), nil) {
				s.mu.Lock()
				p.idle++
				s.mu.Unlock()
			}
		}
		if now.Sub(looked) > 100*time.Millisecond {
			looked = now
			s.again()
			if each != nil {
				each(p)
			}
		}
	}
	p.ended = time.Now()
	for end := time.Now().Add(10 * time.Second); s.under() > 0 && time.Now().Before(end); <-tick.C {
		if time.Since(looked) > 100*time.Millisecond {
			looked = time.Now()
			s.again()
		}
	}
	return p
}

// under is how many requests are under way.
func (s *storm) under() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// again retransmits over UDP.
func (s *storm) again() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.open {
		if r.user.line.transport == "udp" && now.After(r.resend) {
			r.every = min(2*r.every, 4*time.Second)
			r.resend = now.Add(r.every)
			r.user.line.send(r.raw)
		}
	}
}

// abandon forgets what is under way, as unanswered.
func (s *storm) abandon() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.open {
		delete(s.open, id)
		s.free = append(s.free, r.user)
		n++
	}
	return n
}

// setUp has all log in and publish once.
func (s *storm) setUp() {
	for range 3 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		left := len(s.users)
		for range 32 {
			wg.Go(func() {
				for {
					mu.Lock()
					left--
					more := left >= 0
					mu.Unlock()
					done := make(chan struct{})
					if !more || !s.ask(time.Now(), done) {
						return
					}
					s.wait(done)
				}
			})
		}
		wg.Wait()
	}
}
