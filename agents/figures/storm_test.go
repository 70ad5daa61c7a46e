package figures

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"
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

// stormLine is a connection or a UDP socket that users share.
type stormLine struct {
	net.Conn
	transport, contact string
	out                chan []byte // what waits to be written
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

// stormPhase is what came of the requests of one while.
type stormPhase struct {
	began, ended                 time.Time
	offered, good, late          int             // 2xx in time, and not
	refused, bare, other, unread int             // 503 with Retry-After and without, others, none
	idle                         int             // not offered: nobody was free
	took                         []time.Duration // of the good ones
	seconds                      []stormSecond   // by when it was due
	statuses                     map[int]int
	cpu                          time.Duration // of the server
	resident                     int           // of the server, MiB
}

type stormSecond struct {
	good, rest int
	longest    time.Duration
}

// inTime is how late an answer is of use; longer waits a user does not.
const inTime = time.Second

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

func (l *stormLine) write() {
	for b := range l.out {
		if _, err := l.Write(b); err != nil && l.transport == "tcp" {
			return
		}
	}
}

func (s *storm) readStream(l *stormLine) {
	r := bufio.NewReaderSize(l, 64<<10)
	var m []byte
	for {
		m = m[:0]
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			m = append(m, line...)
			if len(line) == 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		s.take(l, m)
	}
}

func (s *storm) readDatagrams(l *stormLine) {
	_ = l.Conn.(*net.UDPConn).SetReadBuffer(8 << 20)
	b := make([]byte, 65535)
	for {
		n, err := l.Read(b)
		if err != nil {
			return
		}
		s.take(l, b[:n])
	}
}

const stormBranch = "branch=z9hG4bKst"

// take answers a NOTIFY, and finds whose answer a response is.
func (s *storm) take(l *stormLine, m []byte) {
	now := time.Now()
	if bytes.HasPrefix(m, []byte("NOTIFY ")) {
		var b bytes.Buffer
		b.WriteString("SIP/2.0 200 OK\r\n")
		for line := range bytes.SplitSeq(m, []byte("\r\n")) {
			name, _, _ := bytes.Cut(line, []byte(":"))
			switch string(name) {
			case "Via", "From", "To", "Call-ID", "CSeq":
				b.Write(line)
				b.WriteString("\r\n")
			}
		}
		b.WriteString("Content-Length: 0\r\n\r\n")
		l.send(b.Bytes())
		return
	}
	i := bytes.Index(m, []byte(stormBranch))
	if i < 0 || len(m) < 12 {
		return
	}
	id := uint64(0)
	for _, c := range m[i+len(stormBranch):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	status, _ := strconv.Atoi(string(m[8:11]))
	if status < 200 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.open[id]
	if r == nil {
		return // answered before
	}
	delete(s.open, id)
	if status == 412 { // what was refused came twice, and was taken the second time: anew
		r.user.etag = ""
	}
	if status == 200 && r.publish {
		if _, v, ok := bytes.Cut(m, []byte("SIP-ETag: ")); ok {
			v, _, _ = bytes.Cut(v, []byte("\r\n"))
			r.user.etag = string(v)
		}
	}
	r.phase.answered(status, now.Sub(r.due), bytes.Contains(m, []byte("\r\nRetry-After: ")), r.due)
	s.free = append(s.free, r.user)
	if r.done != nil {
		close(r.done)
	}
}

func (p *stormPhase) answered(status int, took time.Duration, retry bool, due time.Time) {
	p.statuses[status]++
	i := int(due.Sub(p.began) / time.Second)
	for len(p.seconds) <= i {
		p.seconds = append(p.seconds, stormSecond{})
	}
	sec := &p.seconds[i]
	switch {
	case status/100 == 2 && took <= inTime:
		p.good++
		sec.good++
		sec.longest = max(sec.longest, took)
		p.took = append(p.took, took)
		return
	case status/100 == 2:
		p.late++
	case status == 503 && retry:
		p.refused++
	case status == 503:
		p.bare++
	default:
		p.other++
	}
	sec.rest++
}

// send gives the line something to write; false where too much waits already.
func (l *stormLine) send(b []byte) bool {
	select {
	case l.out <- b:
		return true
	default:
		return false
	}
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

// request is a REGISTER again, another document, or a look at who she watches.
func (u *stormUser) request(what int, id uint64, publish *bool) []byte {
	method, to, call, more, body := "REGISTER", u.name, u.name+"-register", "Expires: 3600\r\n", ""
	uri := "sip:example.com"
	switch what {
	case 0:
		method, call, uri, *publish = "PUBLISH", fmt.Sprint(u.name, "-", id), "sip:"+u.name+"@example.com", true
		more = "Event: presence\r\nExpires: 3600\r\n"
		if u.etag != "" {
			more += "SIP-If-Match: " + u.etag + "\r\n"
		}
		more += "Content-Type: application/pidf+xml\r\n"
		body = fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com">
<tuple id="pc"><status><basic>open</basic></status><contact priority="0.8">sip:%[1]s@host.example.com</contact><note>version %d</note></tuple>
</presence>
`, u.name, u.seq)
	case 1:
		method, to, call, uri = "SUBSCRIBE", u.watches, fmt.Sprint(u.name, "-", id), "sip:"+u.watches+"@example.com"
		more = "Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 0\r\n"
	}
	return fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=s%[6]d\r\nTo: <sip:%[8]s@example.com>\r\n"+
		"Call-ID: %[9]s\r\nCSeq: %[10]d %[1]s\r\nContact: <sip:%[7]s@%[4]s;transport=%[11]s>\r\n%[12]sContent-Length: %[13]d\r\n\r\n%[14]s",
		method, uri, map[string]string{"tcp": "TCP", "udp": "UDP"}[u.line.transport], u.line.contact, stormBranch, id, u.name, to, call, u.seq, u.line.transport, more, len(body), body)
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
