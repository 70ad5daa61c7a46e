package sip

import (
	"bytes"
	"hash/maphash"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/message"
)

// What is refused unparsed is answered with the same fields as after parsing.
func FuzzSkim(f *testing.F) {
	plain := wireRequest("PUBLISH", "z9hG4bK1", "Content-Length: 0\r\n")
	for _, raw := range []string{
		plain,
		strings.Replace(plain, "To: <sip:c@d>", `t : "a>b" <sip:c@d;tag=no> ; Tag=x`, 1),
		strings.Replace(plain, "To: <sip:c@d>", "To: sip:c@d;tag=x", 1),
		strings.Replace(plain, "From:", "f:", 1),
		strings.Replace(plain, "Via: SIP/2.0/UDP 127.0.0.9", "v:SIP/2.0/UDP 127.0.0.9:5080;branch=z9hG4bK0, SIP/2.0/TCP b", 1),
		strings.Replace(plain, "Max-Forwards", "Via: SIP/2.0/TCP a;branch=z9hG4bKx, SIP/2.0/UDP b\r\nMax-Forwards", 1),
		strings.Replace(plain, "Call-ID: w", "Call-ID:\r\n w", 1),
		strings.Replace(plain, "Call-ID: w", "Call-ID: w\r\ni: z", 1),
		strings.Replace(plain, "Call-ID: w", "Call-ID: w\nX: z", 1),
		"PUBLISH", "\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	f.Add([]byte("A \r\nv:SIP/2.0/U a;branch=x\r\nf:\r\nt:\r\ni:\r\nCSeq:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h skimmed
		var ok bool
		bounded.Read(t, len(raw), func() { h, ok = skim(raw) })
		if !ok {
			return
		}
		src := Source{Remote: netip.MustParseAddrPort("192.0.2.7:5099")}
		answered := h.refusal(src.Remote, 7, DefaultLimits)
		if bytes.ContainsRune(answered, 0) || bytes.Count(answered, []byte("\n")) != bytes.Count(answered, []byte("\r\n")) {
			t.Fatalf("bytes on the loose in %q", answered)
		}
		if len(answered) > 5*len(raw) {
			t.Fatalf("%d bytes are answered with %d: %q", len(raw), len(answered), raw)
		}
		m, err := message.Parse(raw, message.DefaultLimits)
		req, isRequest := m.(*message.Request)
		if err != nil || !isRequest {
			return
		}
		if _, err := stampVia(req, src); err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		r, err := message.Parse(answered, message.DefaultLimits)
		if err != nil {
			t.Fatalf("%v of %q", err, answered)
		}
		vias := func(m message.Message) (out []string) {
			all := message.Values(m, "Via")
			for _, value := range all {
				v, err := message.ParseVia(value)
				if err != nil { // those below the topmost are read by whom they are of
					return all[1:]
				}
				slices.SortFunc(v.Params, func(a, b message.Param) int { return strings.Compare(a.Name, b.Name) })
				out = append(out, v.String())
			}
			return out
		}
		if got, want := vias(r), vias(req); !slices.Equal(got, want) {
			t.Errorf("Via is %q, want %q", got, want)
		}
		for _, name := range []string{"From", "Call-ID", "CSeq"} {
			if got, want := strings.Join(message.Raw(r, name), "\n"), strings.Join(message.Raw(req, name), "\n"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		to, err := message.To(req)
		if err != nil {
			return
		}
		if got, err := message.To(r); err != nil || got.Tag() == "" || to.Tag() != "" && got.Tag() != to.Tag() || got.URI.String() != to.URI.String() {
			t.Errorf("To is %q, want %q", message.Get(r, "To"), message.Get(req, "To"))
		}
	})
}

// A queue that would last longer than it may is known by how fast it leaves; one
// that is short, or brief, is not refused for.
func TestPressure(t *testing.T) {
	const limit = 200 * time.Millisecond
	now := time.Now()
	clock := func() time.Time { return now }
	p := &pressure{}
	fill := func(n int) {
		for range n {
			p.enter(now)
		}
	}
	drain := func(n int, every time.Duration) {
		for range n {
			now = now.Add(every)
			p.leave(now)
		}
	}
	want := func(what string, want level) {
		t.Helper()
		if got, _ := p.level(clock, limit); got != want {
			d, _ := p.delay(now)
			t.Errorf("%s: level %d, want %d; delay %s", what, got, want, d)
		}
	}
	fill(10_000)
	want("nothing is known yet", calm)
	drain(200, time.Millisecond) // a thousand a second, and 9,800 wait
	want("ten seconds' worth", flooded)
	drain(9_000, time.Millisecond)
	want("700 ms' worth", busy)
	drain(600, time.Millisecond)
	want("at the limit", calm)
	fill(200)
	want("above it, not having been well below it", busy)
	drain(300, time.Millisecond)
	want("half of it", calm)
	fill(300)
	want("a burst", calm)
	for range 11 {
		fill(100)
		drain(100, time.Millisecond)
		want := calm
		if now.Sub(p.above) > burst {
			want = busy
		}
		if got, _ := p.level(clock, limit); got != want {
			t.Fatalf("%s after it began: level %d, want %d", now.Sub(p.above), got, want)
		}
	}
	if got, _ := p.level(clock, limit); got != busy {
		t.Errorf("what lasts is level %d, want %d", got, busy)
	}
	now = now.Add(2 * burst)
	if _, stuck := p.level(clock, limit); !stuck {
		t.Error("nothing has been answered for two seconds, and that is not known")
	}
	drain(int(p.waiting.Load()), time.Microsecond)
	want("empty", calm)
}

// Under pressure clients' new requests are refused before servers' and before what
// goes on; what is taken up already is answered, and passes once there is room.
func TestWhoIsRefusedFirst(t *testing.T) {
	held := make(chan *ServerTx, 100)
	acks := make(chan *message.Request, 100)
	server := start(t, &handler{request: func(tx *ServerTx) { tx.Queued(); held <- tx }, ack: func(ack *message.Request) { acks <- ack }}, nil)
	c := raw(t, server, "udp")
	io.WriteString(c, wireRequest("PUBLISH", "z9hG4bKfirst", "Content-Length: 0\r\n"))
	first := recv(t, held)
	p := &server.pressure
	now := time.Now()
	p.mu.Lock()
	p.rate, p.since, p.answered = 100, now.Add(time.Hour), now.Add(time.Hour)
	p.mu.Unlock()
	p.over.Store(true)
	p.waiting.Add(50) // half a second's worth
	send := func(raw string) string {
		t.Helper()
		io.WriteString(c, raw)
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	if got := send(wireRequest("PUBLISH", "z9hG4bK2", "Content-Length: 0\r\n")); !strings.HasPrefix(got, "SIP/2.0 503 ") || !strings.Contains(got, "branch=z9hG4bK2;") && !strings.Contains(got, "branch=z9hG4bK2\r") {
		t.Errorf("new: %s", got)
	}
	invite := wireRequest("INVITE", "z9hG4bKinvite", "Content-Length: 0\r\n")
	refused := send(invite)
	_, to, _ := strings.Cut(refused, "\r\nTo: ")
	to, _, _ = strings.Cut(to, "\r\n")
	ack := strings.Replace(strings.ReplaceAll(invite, "INVITE", "ACK"), "To: <sip:c@d>", "To: "+to, 1)
	io.WriteString(c, ack)                                                      // it ends here
	io.WriteString(c, strings.Replace(ack, "Call-ID: ", "Call-ID: another", 1)) // it does not
	if got := message.CallID(recv(t, acks)); !strings.HasPrefix(got, "another") {
		t.Errorf("the ACK of a refusal went on; Call-ID %s", got)
	}
	again := wireRequest("PUBLISH", "z9hG4bK2", "Content-Length: 0\r\n")
	if one, two := send(again), send(again); one != two {
		t.Errorf("refused once with\n%s\nand once with\n%s", one, two)
	}
	io.WriteString(c, wireRequest("PUBLISH", "z9hG4bKfirst", "Content-Length: 0\r\n")) // it is due an answer, which is not 503
	io.WriteString(c, strings.Replace(wireRequest("NOTIFY", "z9hG4bK3", "Content-Length: 0\r\n"), "<sip:c@d>", "<sip:c@d>;tag=here", 1))
	tx := recv(t, held)
	if tx.Request().Method != "NOTIFY" {
		t.Errorf("%s was taken up, want the NOTIFY in its dialog", tx.Request().Method)
	}
	answer(first, 200)
	buf := make([]byte, 4096)
	if n, err := c.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "SIP/2.0 200 ") || !strings.Contains(string(buf[:n]), "z9hG4bKfirst") {
		t.Errorf("the first: %v\n%s", err, buf[:n])
	}
	p.waiting.Add(-50)
	answer(tx, 200)
	if n, err := c.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "SIP/2.0 200 ") {
		t.Errorf("the NOTIFY: %v\n%s", err, buf[:n])
	}
	io.WriteString(c, wireRequest("PUBLISH", "z9hG4bK4", "Content-Length: 0\r\n"))
	answer(recv(t, held), 200)
}

// What a refusal shows is of no table: by it nobody finds keys that fall into one shard.
func TestARefusalShowsNoTablesHash(t *testing.T) {
	e := start(t, &handler{}, nil)
	shown := e.refusalHash("a call")
	if shown == maphash.String(e.servers.seed, "a call") || shown == maphash.String(e.clients.seed, "a call") {
		t.Error("the tag of a 503 is the hash by which transactions are found")
	}
	if shown != e.refusalHash("a call") || shown == e.refusalHash("another") {
		t.Error("the tag is not that of its Call-ID")
	}
}

// Those who are refused do not come back all at one time: each waits for once to twice
// as long as the limit says, and the same each time.
func TestRetryAfterIsSpread(t *testing.T) {
	h, ok := skim([]byte(wireRequest("PUBLISH", "z9hG4bK1", "Content-Length: 0\r\n")))
	if !ok {
		t.Fatal("not plain")
	}
	after := map[time.Duration]int{}
	for hash := range uint64(600) {
		res, err := message.Parse(h.refusal(netip.MustParseAddrPort("192.0.2.7:5099"), hash, Limits{RetryAfter: 5 * time.Second}), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		after[message.RetryAfter(res)]++
	}
	for s := 5 * time.Second; s <= 10*time.Second; s += time.Second {
		if after[s] != 100 {
			t.Errorf("%d of 600 come back after %s", after[s], s)
		}
	}
}

// What only passes waits apart from what is for the disk: a disk that stands still is no
// reason to refuse it, but that it comes faster than it goes on is.
func TestWhatPassesIsRefusedForItself(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, nil)
	c := raw(t, server, "udp")
	ask := func(method string) string {
		t.Helper()
		io.WriteString(c, wireRequest(method, NewBranch(), "Content-Length: 0\r\n"))
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[len("SIP/2.0 "):min(n, len("SIP/2.0 200"))])
	}
	load := func(p *pressure, waiting int64, answered time.Time) {
		p.mu.Lock()
		p.rate, p.since, p.answered = 10, answered, answered
		p.mu.Unlock()
		p.over.Store(true)
		p.waiting.Add(waiting)
	}
	want := func(when, publish, page string) {
		t.Helper()
		if a, b := ask("PUBLISH"), ask("MESSAGE"); a != publish || b != page {
			t.Errorf("%s: PUBLISH %s, MESSAGE %s; want %s and %s", when, a, b, publish, page)
		}
	}
	now := time.Now()
	want("calm", "200", "200")
	load(&server.pressure, 50, now.Add(-time.Minute))
	want("the disk stands still", "503", "200")
	load(&server.passing, 50, now.Add(time.Hour))
	want("decisions take too long as well", "503", "503")
	server.pressure.waiting.Add(-50)
	want("they alone", "503", "503")
	server.passing.waiting.Add(-50)
	want("calm again", "200", "200")
}
