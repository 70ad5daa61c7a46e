package trace

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roles are running control sockets with a journal each.
type roles struct {
	journals map[string]*control.Journal
	sockets  []string
	stop     func() // all of them, and waits
}

func startRoles(t *testing.T, limit int, names ...string) *roles {
	t.Helper()
	dir, err := os.MkdirTemp("", "trc")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &roles{journals: map[string]*control.Journal{}}
	done := make(chan error, len(names))
	for _, name := range names {
		j := control.NewJournal(name, limit)
		s, err := control.NewServer(control.Config{Path: filepath.Join(dir, name), Journal: j})
		if err != nil {
			t.Fatal(err)
		}
		s.SetReady(control.Info{Participant: name, Listen: []control.Listen{{Transport: "TLS", Addr: newBed().addr[name]}}})
		r.journals[name] = j
		r.sockets = append(r.sockets, filepath.Join(dir, name))
		go func() { done <- s.Run(ctx) }()
	}
	r.stop = sync.OnceFunc(func() {
		cancel()
		for range names {
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		_ = os.RemoveAll(dir)
	})
	t.Cleanup(r.stop)
	return r
}

// tap gives each role its records of b, as if they happened now.
func (r *roles) tap(b *bed) {
	start := time.Now()
	for _, rec := range b.records {
		rec.Time = start.Add(rec.Time.Sub(b.records[0].Time))
		r.journals[rec.Participant].Tap(rec)
	}
}

var everybody = []string{"alice-pc", "server-a", "server-b", "bob-pc"}

func TestSnapshot(t *testing.T) {
	r := startRoles(t, 0, everybody...)
	r.tap(im())
	c, err := Snapshot(t.Context(), r.sockets...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(imTold, tell(c.Messages())); diff != "" || c.Lost != 0 {
		t.Errorf("%d lost, (-want +got):\n%s", c.Lost, diff)
	}
}

func TestSnapshotOfOneServer(t *testing.T) {
	r := startRoles(t, 0, everybody...)
	b := newBed()
	b.sip("server-a", "server-b", request("OPTIONS", "sip:x", 1, "x"))
	r.tap(b)
	c, err := Snapshot(t.Context(), r.sockets[1])
	if err != nil {
		t.Fatal(err)
	}
	messages := c.Messages()
	// Where server-b listens is not known: its socket was not asked.
	if len(messages) != 1 || messages[0].To != netip.MustParseAddrPort("127.0.0.12:5061").String() || messages[0].Lost {
		t.Errorf("%v", tell(messages))
	}
}

func TestSnapshotCountsLostRecords(t *testing.T) {
	r := startRoles(t, 900, "server-a")
	b := newBed()
	for range 10 {
		b.sip("server-a", "server-b", request("OPTIONS", "sip:x", 1, "x"), "in")
	}
	r.tap(b)
	c, err := Snapshot(t.Context(), r.sockets...)
	if err != nil || c.Lost == 0 || int(c.Lost)+len(c.Records) != 10 {
		t.Errorf("%d lost and %d there of 10, %v", c.Lost, len(c.Records), err)
	}
}

func TestSnapshotOfNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	path := filepath.Join(t.TempDir(), "nobody")
	_, err := Snapshot(ctx, path)
	var failed *SocketError
	if !errors.As(err, &failed) || failed.Path != path || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestFollow(t *testing.T) {
	r := startRoles(t, 0, everybody...)
	b := im()
	half := 10 // both ends of the first five messages
	first, second := *b, *b
	first.records, second.records = b.records[:half], b.records[half:]
	r.tap(&first)
	var got []string
	shown := 0
	err := Follow(t.Context(), time.Minute, func(messages []Message, lost uint64) error {
		shown++
		got = append(got, tell(messages)...)
		for _, m := range messages {
			switch {
			case m.Label() == "INVITE" && m.To == "server-a":
				r.tap(&second)
			case m.Protocol == MSRP && m.Status == 200 && m.Method != "SEND":
				t.Errorf("the MSRP response's method is %q", m.Method)
			case m.Protocol == MSRP && m.Status == 200:
				go r.stop()
			}
		}
		return nil
	}, r.sockets...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(imTold, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if shown < 2 {
		t.Errorf("shown at once only, %d times", shown)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	r := startRoles(t, 0, everybody...)
	r.tap(im())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	err := Follow(ctx, time.Minute, func(messages []Message, _ uint64) error {
		n += len(messages)
		cancel()
		return nil
	}, r.sockets...)
	if !errors.Is(err, context.Canceled) || n == 0 {
		t.Errorf("%v after %d messages", err, n)
	}
}

func TestFollowEndsWithItsReader(t *testing.T) {
	r := startRoles(t, 0, everybody...)
	r.tap(im())
	broken := errors.New("broken pipe")
	if err := Follow(t.Context(), time.Minute, func([]Message, uint64) error { return broken }, r.sockets...); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
