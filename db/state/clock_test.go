package state

import (
	"path/filepath"
	"testing"
	"time"
)

// machine is one whose clock is set, and that starts anew.
type machine struct {
	shown time.Time
	boot  string
	up    time.Duration
}

func (m *machine) Now() time.Time                  { return m.shown }
func (m *machine) Uptime() (string, time.Duration) { return m.boot, m.up }

func (m *machine) pass(d time.Duration) { m.shown, m.up = m.shown.Add(d), m.up+d }

// TestAnHourGrantedIsAnHour: what is left of it after a restart is what has not
// passed, whatever the clock was set to meanwhile. When something was published stays
// what watchers were told.
func TestAnHourGrantedIsAnHour(t *testing.T) {
	for _, by := range []time.Duration{0, time.Hour, -time.Hour, 30 * 365 * 24 * time.Hour} {
		m := &machine{shown: noon, boot: "one", up: 100 * time.Hour}
		path := filepath.Join(t.TempDir(), "state.db")
		var told []time.Time
		put := func(n int) {
			s, stop := running(t, path, Options{Clock: m})
			defer stop()
			p := publication(n)
			p.Stamped, p.Expires = m.shown, m.shown.Add(time.Hour)
			if n > 1 && by < 0 { // as presence has it: never before an earlier one
				p.Stamped = told[0].Add(1)
			}
			told = append(told, p.Stamped)
			if err := commit(s, func(tx *Tx) error { return tx.PutPublication(p) }); err != nil {
				t.Fatal(err)
			}
		}
		left := func() (left []time.Duration) {
			s, stop := running(t, path, Options{Clock: m})
			defer stop()
			snap, err := s.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range snap.Publications {
				left = append(left, p.Expires.Sub(m.shown))
				if !p.Stamped.Equal(told[i]) {
					t.Errorf("set by %s: %s was published at %s, and now at %s", by, p.ID, told[i], p.Stamped)
				}
			}
			return left
		}
		want := func(when string, want ...time.Duration) {
			t.Helper()
			got := left()
			for i, w := range want {
				if len(got) != len(want) || (got[i]-w).Abs() > time.Millisecond {
					t.Fatalf("set by %s, %s: left are %s, want %s", by, when, got, want)
				}
			}
		}
		put(1)
		m.pass(10 * time.Minute)
		m.shown = m.shown.Add(by)
		want("between stop and restart", 50*time.Minute)
		put(2)
		m.pass(10 * time.Minute)
		want("then", 40*time.Minute, 50*time.Minute)
		m.shown = m.shown.Add(-by)
		want("and set back", 40*time.Minute, 50*time.Minute)
		m.pass(5 * time.Minute)
		m.boot, m.up = "two", time.Minute // it took five minutes, by the clock that it shows
		want("after the machine's own start", 35*time.Minute, 45*time.Minute)
	}
}

// TestAClockSetBeforeTheMachineStartsAnew: a machine that came up with a wrong clock
// and was set right while we ran is believed about the time after its next start.
func TestAClockSetBeforeTheMachineStartsAnew(t *testing.T) {
	m := &machine{shown: time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC), boot: "one", up: 5 * time.Minute}
	path := filepath.Join(t.TempDir(), "state.db")
	s, stop := running(t, path, Options{Clock: m})
	defer stop()
	p := publication(1)
	p.Expires = m.shown.Add(time.Hour)
	if err := commit(s, func(tx *Tx) error { return tx.PutPublication(p) }); err != nil {
		t.Fatal(err)
	}
	// As a running process sees it: by its monotonic reading nothing has happened, so
	// that the frame's beginning and now are an hour of 1970 and one of today apart.
	s.frame.kept = s.frame.kept.Add(-noon.Sub(m.shown))
	m.shown = noon
	if err := commit(s, func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	stop()
	m.pass(10 * time.Minute)
	m.boot, m.up = "two", time.Minute
	if left := loadBy(t, path, m).Publications[0].Expires.Sub(m.shown); (left - 50*time.Minute).Abs() > time.Millisecond {
		t.Errorf("left are %s, want 50m", left)
	}
}

func loadBy(t *testing.T, path string, clock Clock) Snapshot {
	t.Helper()
	s, err := Open(path, Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
