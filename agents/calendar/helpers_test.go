package calendar_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/calendar"
	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
	"presfed/db"
	"presfed/pidf"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the clocks of these tests begin.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// world is a server of alice's and bob's, real, and a feeder's clock, which the
// test turns.
type world struct {
	t     *testing.T
	clock *clock.Manual
	at    string // of the server
	stops map[*client.Client]func() error
}

func newWorld(t *testing.T, change ...func(*server.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewManual(noon), stops: map[*client.Client]func() error{}}
	dir := t.TempDir()
	path := filepath.Join(dir, "directory")
	d, err := db.Open(t.Context(), path, db.Options{Create: true, Domain: db.Domain{Name: "example.com"}})
	w.must(err)
	w.must(d.AddServer(t.Context(), db.Server{Name: "server-a", URI: "sip:servera.example.com;transport=tls"}))
	for _, user := range []string{"alice", "bob"} {
		aor := user + "@example.com"
		w.must(d.AddUser(t.Context(), db.User{AOR: aor, HA1: db.HA1s(aor, "example.com", user+"'s secret")}))
		w.must(d.Assign(t.Context(), aor, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}))
	}
	w.must(d.Close())
	cfg := server.Config{
		Name: "server-a", Directory: path, State: filepath.Join(dir, "state"),
		Listen: []server.Listen{{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := server.New(t.Context(), cfg)
	w.must(err)
	t.Cleanup(func() { w.must(s.Close()) })
	w.run(s.Run)
	w.at = "tcp:" + s.Addr("TCP").String()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// run runs something until the test ends, or stop is called, and gives its error.
func (w *world) run(run func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

// device is a running client of a user.
func (w *world) device(user string, change func(*client.Config)) *client.Client {
	w.t.Helper()
	cfg := client.Config{
		Name: "calendar", User: user + "@example.com", Password: user + "'s secret", Server: w.at, Lengthen: true,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	w.must(err)
	w.stops[c] = w.run(c.Run)
	return c
}

// stop ends a device without a goodbye.
func (w *world) stop(c *client.Client) {
	w.t.Helper()
	w.must(w.stops[c]())
}

// watcher is alice herself, looking at what her server shows.
type watcher struct {
	w      *world
	events chan client.Event
}

func (w *world) watch(user string) *watcher {
	w.t.Helper()
	v := &watcher{w, make(chan client.Event, 1024)}
	c := w.device(user, func(cfg *client.Config) {
		cfg.Name = user + "-pc"
		cfg.OnEvent = func(e client.Event) { v.events <- e }
	})
	_, err := c.Subscribe(w.ctx(), user, client.SubscribeOptions{Expires: time.Hour})
	w.must(err)
	v.until(func(pidf.Document) bool { return true })
	return v
}

// until is the first document that is as it should be.
func (v *watcher) until(right func(pidf.Document) bool) pidf.Document {
	v.w.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-v.events:
			if e.Type != "presence" || e.Body == "" {
				continue
			}
			d, err := pidf.Parse([]byte(e.Body), pidf.DefaultLimits())
			v.w.must(err)
			if right(d) {
				return d
			}
		case <-late:
			v.w.t.Fatal("no such document came")
		}
	}
}

func busy(d pidf.Document) bool { p, ok := d.Person(); return ok && p.Does(pidf.Busy) }
func free(d pidf.Document) bool { return !busy(d) }

// published is a PUBLISH of the feeder's as it crossed the wire, with what became
// of it.
type published struct {
	from    string
	match   string // SIP-If-Match
	expires int
	body    []byte
	status  int
}

func (p published) String() string {
	what := "create"
	switch {
	case p.match != "" && p.expires == 0:
		what = "remove"
	case p.match != "" && len(p.body) == 0:
		what = "refresh"
	case p.match != "":
		what = "modify"
	}
	return fmt.Sprintf("%s %d %d", what, p.expires, p.status)
}

// wires collects PUBLISHes; challenges are left out. A request is recorded after
// it was written, so possibly after its response.
type wires struct {
	t         *testing.T
	mu        sync.Mutex
	asked     map[string][]byte
	responses map[string]int
	all       chan published
}

func newWires(t *testing.T) *wires {
	return &wires{t: t, asked: map[string][]byte{}, responses: map[string]int{}, all: make(chan published, 1024)}
}

func (s *wires) tap(r wire.Record) {
	if !bytes.Contains(r.Raw, []byte("PUBLISH")) {
		return
	}
	id := header(r.Raw, "Call-ID") + header(r.Raw, "CSeq")
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Direction == wire.Out {
		s.asked[id] = bytes.Clone(r.Raw)
	} else if status, _ := strconv.Atoi(strings.Fields(string(r.Raw))[1]); status >= 200 {
		s.responses[id] = status
	}
	req, status := s.asked[id], s.responses[id]
	if req == nil || status == 0 || status == 401 {
		return
	}
	p := published{from: header(req, "From"), match: header(req, "SIP-If-Match"), status: status}
	p.expires, _ = strconv.Atoi(header(req, "Expires"))
	_, p.body, _ = bytes.Cut(req, []byte("\r\n\r\n"))
	s.all <- p
}

func header(raw []byte, name string) string {
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// next is the next PUBLISH, which must read as wanted.
func (s *wires) next(want string) published {
	s.t.Helper()
	select {
	case p := <-s.all:
		if p.String() != want {
			s.t.Fatalf("PUBLISH %v, want %s\n%s", p, want, p.body)
		}
		return p
	case <-time.After(30 * time.Second):
		s.t.Fatalf("no PUBLISH came, want %s", want)
	}
	return published{}
}

func (s *wires) none() {
	s.t.Helper()
	select {
	case p := <-s.all:
		s.t.Fatalf("PUBLISH %v, want none\n%s", p, p.body)
	default:
	}
}

// feeding is a feeder of alice's that runs, with a file as its source.
type feeding struct {
	*wires
	*calendar.Feeder
	w      *world
	file   string
	events chan calendar.Event
	stop   func() error
}

func (w *world) feed(change func(*calendar.Config)) *feeding {
	w.t.Helper()
	f := &feeding{wires: newWires(w.t), w: w, file: filepath.Join(w.t.TempDir(), "alice.ics"), events: make(chan calendar.Event, 1024)}
	f.write()
	source, err := calendar.Open(f.file, calendar.Access{})
	w.must(err)
	device := w.device("alice", func(cfg *client.Config) { cfg.Tap = f.tap })
	cfg := calendar.Config{
		Users: []calendar.User{{Client: device, Sources: []calendar.Source{source}}},
		Zone:  time.UTC, Clock: w.clock, OnEvent: func(e calendar.Event) { f.events <- e },
	}
	if change != nil {
		change(&cfg)
	}
	f.Feeder = calendar.New(cfg)
	f.stop = w.run(f.Run)
	return f
}

// write puts events into the calendar, at once: each its lines, separated by blanks.
func (f *feeding) write(events ...string) {
	f.w.t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\n" + strings.Join(strings.Fields(e), "\n") + "\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	f.w.must(os.WriteFile(f.file+".new", []byte(b.String()), 0o600))
	f.w.must(os.Rename(f.file+".new", f.file))
}

// says writes events, and returns when what they say is published.
func (f *feeding) says(events ...string) {
	f.w.t.Helper()
	f.write(events...)
	f.w.must(f.Refresh(f.w.ctx()))
}

// turn turns the clock; what falls due by it has been done when it returns.
func (f *feeding) turn(d time.Duration) {
	f.w.t.Helper()
	f.w.clock.Advance(d)
	f.w.must(f.Refresh(f.w.ctx()))
}
