package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// role is a running server and the end of it.
type role struct {
	*Server
	journal *Journal
	client  *Client
	end     context.CancelFunc
	done    chan error
}

func start(t *testing.T, change func(*Config)) *role {
	t.Helper()
	// Not t.TempDir: its paths may be too long for a socket.
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	cfg := Config{Path: filepath.Join(dir, "s"), Journal: NewJournal("server-a", 0), Stop: end}
	if change != nil {
		change(&cfg)
	}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &role{Server: s, journal: cfg.Journal, client: NewClient(cfg.Path), end: end, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-r.done; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return r
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var sample = wire.Record{
	Participant: "server-a", Direction: wire.Out, Time: time.Date(2008, 10, 15, 9, 0, 0, 1000, time.UTC),
	Protocol: wire.SIP, Transport: "TLS",
	Src: netip.MustParseAddrPort("127.0.0.11:5061"), Dst: netip.MustParseAddrPort("[::1]:40000"),
	Raw: []byte("SIP/2.0 200 OK\r\n\x00\xff\r\n"),
}

func TestReadyIsAnsweredWhenTheRoleIs(t *testing.T) {
	r := start(t, nil)
	type result struct {
		info Info
		err  error
	}
	got := make(chan result, 1)
	ctx := within(t)
	go func() {
		info, err := r.client.Ready(ctx)
		got <- result{info, err}
	}()
	want := Info{Participant: "server-a", PID: 7, Listen: []Listen{{"TLS", sample.Src}}}
	r.SetReady(want)
	r.SetReady(Info{Participant: "nobody"})
	answer := <-got
	if answer.err != nil {
		t.Fatal(answer.err)
	}
	if diff := cmp.Diff(want, answer.info, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadyWaitsForTheSocket(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := NewClient(filepath.Join(t.TempDir(), "s")).Ready(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want the deadline and why", err)
	}
}

func TestRecordsSinceTheStart(t *testing.T) {
	r := start(t, nil)
	for range 200 {
		r.journal.Tap(sample)
	}
	var n uint64
	for got, err := range r.client.Records(within(t), 5, false) {
		if err != nil {
			t.Fatal(err)
		}
		want := sample
		want.Seq = 6 + n
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("record %d (-want +got):\n%s", n, diff)
		}
		n++
	}
	if n != 195 {
		t.Errorf("%d records, want 195", n)
	}
}

func TestFollowSeesTheLastRecord(t *testing.T) {
	r := start(t, nil)
	r.journal.Tap(sample)
	var seen []uint64
	for got, err := range r.client.Records(within(t), 0, true) {
		if err != nil {
			t.Fatal(err)
		}
		switch seen = append(seen, got.Seq); got.Seq {
		case 1:
			r.journal.Tap(sample)
		case 2:
			// What the clean end sends is still seen.
			r.journal.Tap(sample)
			r.end()
		}
	}
	if diff := cmp.Diff([]uint64{1, 2, 3}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLostRecordsAreSaid(t *testing.T) {
	r := start(t, func(c *Config) { c.Journal = NewJournal("x", 2*(len(sample.Raw)+recordOverhead)) })
	for range 5 {
		r.journal.Tap(sample)
	}
	var lost *LostError
	var seen []uint64
	for got, err := range r.client.Records(within(t), 0, false) {
		if errors.As(err, &lost) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, got.Seq)
	}
	if diff := cmp.Diff([]uint64{4, 5}, seen); diff != "" || lost == nil || lost.Count != 3 {
		t.Errorf("lost %v, (-want +got):\n%s", lost, diff)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	r := start(t, nil)
	r.journal.Tap(sample)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range r.client.Records(ctx, 0, true) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("%v, want cancelled", last)
	}
}

func TestCommands(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Command = func(_ context.Context, line string) (any, error) {
			switch word, rest, _ := strings.Cut(line, " "); word {
			case "echo":
				return map[string]string{"text": rest}, nil
			case "quiet":
				return nil, nil
			case "broken":
				return make(chan int), nil
			default:
				return nil, fmt.Errorf("unknown command %q", word)
			}
		}
	})
	got, err := r.client.Do(within(t), "echo a\n<b>")
	if err != nil || string(got) != `{"text":"a\n<b>"}` {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := r.client.Do(within(t), "quiet"); err != nil || got != nil {
		t.Errorf("%s, %v, want nothing", got, err)
	}
	var no *CommandError
	if _, err := r.client.Do(within(t), "nope"); !errors.As(err, &no) || no.Message != `unknown command "nope"` {
		t.Errorf("%v", err)
	}
	if _, err := r.client.Do(within(t), "broken"); !errors.As(err, &no) {
		t.Errorf("%v", err)
	}
}

func TestCommandEndsWithTheRole(t *testing.T) {
	begun := make(chan struct{})
	r := start(t, func(c *Config) {
		c.Command = func(ctx context.Context, _ string) (any, error) {
			close(begun)
			<-ctx.Done()
			return nil, errors.New("given up")
		}
	})
	go func() {
		<-begun
		r.end()
	}()
	var no *CommandError
	if _, err := r.client.Do(within(t), "wait"); !errors.As(err, &no) {
		t.Errorf("%v, want the role's answer", err)
	}
}

func TestStopWaitsForTheEnd(t *testing.T) {
	r := start(t, nil)
	if err := r.client.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(r.client.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := r.client.Stop(within(t)); err != nil {
		t.Errorf("stopped again: %v", err)
	}
}

func TestOneConnectionManyRequests(t *testing.T) {
	r := start(t, nil)
	r.SetReady(Info{Participant: "server-a"})
	conn, err := net.Dial("unix", r.client.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A client that has said all it has to say still gets its answers.
	if _, err := fmt.Fprint(conn, `{"op":"ready"}`+"\nnonsense\n"+`{"op":"fly"}`+"\n"+`{"op":"ready","when":1}`+"\n"+`{"op":"records"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var types []string
	for dec := json.NewDecoder(conn); ; {
		var line struct{ Type string }
		if err := dec.Decode(&line); err != nil {
			break
		}
		types = append(types, line.Type)
	}
	if diff := cmp.Diff([]string{"ready", "error", "error", "error", "end"}, types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTooLongALine(t *testing.T) {
	r := start(t, nil)
	conn, err := net.Dial("unix", r.client.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Repeat("x", maxRequest+1)))
	var line errorLine
	if err := json.NewDecoder(conn).Decode(&line); err != nil || !strings.Contains(line.Message, "too long") {
		t.Errorf("%+v, %v", line, err)
	}
}

func TestConnectionLimit(t *testing.T) {
	r := start(t, nil)
	r.SetReady(Info{})
	for range maxConnections {
		conn, err := net.Dial("unix", r.client.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := r.client.Ready(within(t)); !errors.Is(err, ErrEnded) {
		t.Errorf("one too many: %v", err)
	}
}

func TestSocketIsItsOwnersAlone(t *testing.T) {
	r := start(t, nil)
	info, err := os.Stat(r.client.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := NewServer(Config{Path: r.client.Path()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second role: %v, want EADDRINUSE", err)
	}
	if _, err := r.client.Do(within(t), "x"); err == nil || !strings.Contains(err.Error(), "takes no commands") {
		t.Errorf("the first role is gone: %v", err)
	}
}

func TestDeadSocketIsTakenOver(t *testing.T) {
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	s, err := NewServer(Config{Path: path, Journal: NewJournal("x", 0)})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewServer(Config{Path: path}); err == nil {
		t.Error("a file that is no socket was taken over")
	}
	if _, err := NewServer(Config{Path: "/" + strings.Repeat("x", maxPath)}); err == nil || !strings.Contains(err.Error(), "want less than") {
		t.Errorf("too long a path: %v", err)
	}
}
