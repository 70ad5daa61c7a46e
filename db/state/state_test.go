package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// running is a store at path whose committer runs until stop, which also closes
// the file.
func running(t *testing.T, path string, opts Options) (s *Store, stop func()) {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func commit(s *Store, do func(tx *Tx) error) error {
	done := make(chan error, 1)
	s.Commit(do, func(err error) { done <- err })
	return <-done
}

func load(t *testing.T, path string) Snapshot {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func publication(n int) Publication {
	return Publication{
		ID: fmt.Sprint("p", n), Resource: "sip:alice@example.com", Package: "presence", ETag: fmt.Sprint("e", n),
		ContentType: "application/pidf+xml", Body: []byte{0, '<', 0xff}, Stamped: noon.Add(time.Duration(n)), Expires: noon.Add(time.Hour),
	}
}

func TestEveryRecordComesBackAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?#.db") // a name that a DSN could misread
	s, stop := running(t, path, Options{})
	want := Snapshot{
		Publications: []Publication{publication(0), publication(1)},
		Subscriptions: []Subscription{
			{
				Half: Notifier, ID: "s1", Package: "presence", EventID: "7", Resource: "sip:alice@example.com", View: "own", Watcher: "sip:bob@example.com",
				Peer: "server-b", CallID: "c", LocalTag: "l", RemoteTag: "r", LocalAddress: "<sip:alice@example.com>;tag=l", RemoteAddress: `"B" <sip:bob@example.com>;tag=r`,
				Contact: "<sip:a>", Target: "sip:b@h", Routes: []string{"<sip:r1;lr>", "<sip:r2;lr>"}, Headers: []Field{{"P-Asserted-Identity", "<sip:alice@example.com>"}},
				ContentType: "application/pidf+xml", State: "active", Cause: "approved", Since: noon, CSeqReserved: 1 << 30, RemoteCSeq: 1<<31 - 1, Expires: noon, Extra: []byte("x"),
			},
			{Half: Subscriber, ID: "s1", Resource: "sip:alice@example.com", Extra: []byte{}},
		},
		Bindings: []Binding{{
			AOR: "sip:alice@example.com", Contact: "sip:a@1.2.3.4", Address: "<sip:a@1.2.3.4>;q=0.5", CallID: "c", CSeq: 4,
			Path: []string{"<sip:p;lr>"}, Source: "TCP", Agent: "ua", Updated: noon, Expires: noon.Add(time.Hour),
		}},
		Asking: []Asking{{Presentity: "sip:alice@example.com", Watcher: "sip:carol@example.com", ID: "i", Name: "C", Since: noon, Until: noon.Add(time.Hour)}},
	}
	err := commit(s, func(tx *Tx) error {
		var errs []error
		for _, p := range want.Publications {
			errs = append(errs, tx.PutPublication(p))
		}
		for _, sub := range want.Subscriptions {
			errs = append(errs, tx.PutSubscription(sub))
		}
		for _, b := range want.Bindings {
			errs = append(errs, tx.PutBinding(b))
		}
		for _, a := range want.Asking {
			errs = append(errs, tx.PutAsking(a))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if diff := cmp.Diff(want, load(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsChangeAndGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, stop := running(t, path, Options{Full: true})
	steps := []func(tx *Tx) error{
		func(tx *Tx) error { return tx.PutPublication(publication(1)) },
		func(tx *Tx) error { return tx.PutPublication(publication(2)) },
		func(tx *Tx) error { return tx.RefreshPublication("p1", "e1b", noon.Add(2*time.Hour)) },
		func(tx *Tx) error { return tx.DeletePublication("p2") },
		func(tx *Tx) error { return tx.DeletePublication("p2") },
		func(tx *Tx) error { return tx.PutSubscription(Subscription{Half: Notifier, ID: "a", CSeqReserved: 9}) },
		func(tx *Tx) error { return tx.PutSubscription(Subscription{Half: Notifier, ID: "b"}) },
		func(tx *Tx) error { return tx.ReserveCSeq(Notifier, "a", 40) },
		func(tx *Tx) error { return tx.ReserveCSeq(Notifier, "a", 20) }, // never backwards
		func(tx *Tx) error { return tx.DeleteSubscription(Notifier, "b") },
		func(tx *Tx) error { return tx.PutBinding(Binding{AOR: "x", Contact: "1"}) },
		func(tx *Tx) error { return tx.PutBinding(Binding{AOR: "x", Contact: "2"}) },
		func(tx *Tx) error { return tx.PutBinding(Binding{AOR: "y", Contact: "1"}) },
		func(tx *Tx) error { return tx.PutBinding(Binding{AOR: "y", Contact: "2"}) },
		func(tx *Tx) error { return tx.DeleteBindings("x") },
		func(tx *Tx) error { return tx.DeleteBinding("y", "1") },
	}
	for i, step := range steps {
		if err := commit(s, step); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if err := commit(s, func(tx *Tx) error { return tx.RefreshPublication("p2", "e", noon) }); err == nil {
		t.Error("a publication that is gone was refreshed")
	}
	if err := commit(s, func(tx *Tx) error { return tx.ReserveCSeq(Subscriber, "a", 1) }); err == nil {
		t.Error("CSeqs were reserved for a subscription that is not there")
	}
	stop()
	snap := load(t, path)
	if len(snap.Publications) != 1 || snap.Publications[0].ETag != "e1b" || !snap.Publications[0].Expires.Equal(noon.Add(2*time.Hour)) ||
		string(snap.Publications[0].Body) != string(publication(1).Body) {
		t.Errorf("publications: %+v", snap.Publications)
	}
	if len(snap.Subscriptions) != 1 || snap.Subscriptions[0].CSeqReserved != 40 {
		t.Errorf("subscriptions: %+v", snap.Subscriptions)
	}
	if len(snap.Bindings) != 1 || snap.Bindings[0].AOR != "y" || snap.Bindings[0].Contact != "2" {
		t.Errorf("bindings: %+v", snap.Bindings)
	}
}

func TestAFileThatIsNotOursIsRefused(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, statements ...string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite3", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, st := range statements {
			if _, err := db.Exec(st); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	foreign := make("foreign.db", "CREATE TABLE user (name TEXT)")
	newer := make("newer.db", fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA user_version = 99")
	for path, want := range map[string]string{
		foreign: "is a database, but not a server's state",
		newer:   "has schema 99, written by a newer program: this one knows up to 8",
	} {
		s, err := Open(path, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s was opened", path)
		} else if got := err.Error(); got != fmt.Sprintf("state %s: %s", path, want) {
			t.Errorf("got %q", got)
		}
	}
	if _, err := Open(filepath.Join(dir, "no", "such", "folder.db"), Options{}); err == nil {
		t.Error("a file in no folder was opened")
	}
}

func TestASecondProcessIsKeptOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	_, stop := running(t, path, Options{})
	if s, err := Open(path, Options{LockWait: time.Millisecond}); !errors.Is(err, ErrInUse) {
		if err == nil {
			s.Close()
		}
		t.Errorf("second opening: %v", err)
	}
	stop()
	load(t, path)
	_, stop = running(t, path, Options{}) // an existing file, nothing written yet
	defer stop()
	if s, err := Open(path, Options{LockWait: time.Millisecond}); !errors.Is(err, ErrInUse) {
		if err == nil {
			s.Close()
		}
		t.Errorf("second opening of an old file: %v", err)
	}
}

func TestALockThatIsLetGoOfInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	_, stop := running(t, path, Options{})
	time.AfterFunc(100*time.Millisecond, stop)
	s, err := Open(path, Options{LockWait: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// What survives what is SQLite's word: 1, NORMAL, the process; 2, FULL, the machine.
func TestFullWaitsForTheDisk(t *testing.T) {
	for full, want := range map[bool]int{false: 1, true: 2} {
		s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{Full: full})
		if err != nil {
			t.Fatal(err)
		}
		var synchronous int
		var journal string
		err = errors.Join(s.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous), s.conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal), s.Close())
		if err != nil || synchronous != want || journal != "wal" {
			t.Errorf("full %t: synchronous %d, journal %s, %v", full, synchronous, journal, err)
		}
	}
}
