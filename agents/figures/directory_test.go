package figures

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/db"
)

// dailyLife is one user of server-a who publishes, one who watches her, and one who
// registers, all of whom the server knows.
type dailyLife struct {
	*killBed
	user *person
	pc   *device
	w    *watching
	r    *registering
}

func newDailyLife(t *testing.T, flags ...string) *dailyLife {
	own := fmt.Sprintf("127.78.%d.%d:0", os.Getpid()>>8&255, os.Getpid()&255)
	b := newUnionBed(t.Context(), t, onA, db.RootPolicy, 1, 2, "tcp:"+own, "tls:"+own, append(flags, "--peer-retry", "100ms")...)
	c := newCrowd(t, map[string]string{"a": b.servers["a"].tcp, "b": b.servers["b"].tcp})
	k := &killBed{unionBed: b, crowd: c}
	l := &dailyLife{killBed: k, user: &person{b: k, user: "u0", tuples: map[string][]int{}}}
	l.pc = &device{p: l.user, x: "a", name: "pc", user: "u0"}
	l.w = &watching{c: c, p: l.user, watcher: "wa0", x: "a"}
	l.r = &registering{c: c, user: "wa1", x: "a", there: map[string]lease{}}
	k.watches = []*watching{l.w}
	l.w.begin()
	l.pc.do("initial")
	l.goesOn("at first")
	return l
}

// goesOn has each do something, which is acknowledged, and right.
func (l *dailyLife) goesOn(when string) {
	l.unionBed.t.Helper()
	began := time.Now()
	l.pc.do("modify")
	l.w.goOn(nil)
	l.r.step(rand.New(rand.NewPCG(1, 0)))
	l.r.goOn(nil)
	l.right(when)
	if l.pc.open != "" || l.r.open {
		l.unionBed.t.Errorf("%s: a request was not acknowledged", when)
	}
	if took := time.Since(began); took > 3*time.Second {
		l.unionBed.t.Errorf("%s: it took %s", when, took)
	}
}

// decide lets the watcher see or not, by the command line.
func (l *dailyLife) decide(h db.Handling) (said string, err error) {
	out, err := exec.Command(l.binary, "directory", "policy", "set", "u0", "wa0", string(h), "--directory", l.directory).CombinedOutput()
	if err == nil {
		l.w.block(h == db.PoliteBlock)
	}
	return string(out), err
}

// TestTheDirectoryIsLocked by another program: servers read on, and start; a change
// waits for five seconds, and then says that it was not made.
func TestTheDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	l := newDailyLife(t)
	raw, err := sql.Open("sqlite3", l.directory+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	tx, err := raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	l.goesOn("while the directory is locked")
	if said, err := l.decide(db.PoliteBlock); err == nil || !strings.Contains(said, "locked") {
		t.Errorf("a change for which there was no time: %v %s", err, said)
	}
	l.goesOn("and for longer than a change waits")
	l.servers["a"].kill()
	l.start(t.Context(), "a")
	l.goesOn("and started again")

	time.AfterFunc(300*time.Millisecond, func() { _ = tx.Rollback() })
	if said, err := l.decide(db.PoliteBlock); err != nil {
		t.Errorf("a change that had to wait: %v %s", err, said)
	}
	l.goesOn("after a change")
	if health := l.health("a"); health != "ok\n" {
		t.Error(health)
	}
}

// TestTheDirectoryIsGone, is something else, and is back: whom the servers know they
// serve on, and what changed meanwhile acts once it is back. A server that starts
// without it says so and ends, and has lost nothing.
func TestTheDirectoryIsGone(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"asked", "synchronised"} {
		t.Run(mode, func(t *testing.T) {
			var flags []string
			if mode == "synchronised" {
				flags = []string{"--synchronised"}
			}
			l := newDailyLife(t, flags...)
			health := func(want string) {
				t.Helper()
				for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
					said := l.health("a")
					if strings.Contains(said, want) {
						return
					}
					if time.Now().After(end) {
						t.Fatalf("health: %s, want %s", said, want)
					}
				}
			}
			names := []string{"", "-wal", "-shm"}
			aside := filepath.Join(l.dir, "aside")
			move := func(from, to string) {
				t.Helper()
				for _, suffix := range names {
					if err := os.Rename(from+suffix, to+suffix); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
			}
			move(l.directory, aside)
			health("there is no such file")
			l.goesOn("while the directory is gone")
			if said, err := l.decide(db.PoliteBlock); err == nil || !strings.Contains(said, "no such file") {
				t.Errorf("a change in a directory that is gone: %v %s", err, said)
			}
			if err := os.WriteFile(l.directory, []byte("this is no database at all, and nobody says it is\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			health("directory: unreachable")
			l.goesOn("while something else is there")

			l.servers["a"].kill()
			out, err := exec.Command(l.binary, "server-a", "--directory", l.directory, "--certs", l.dir, "--no-auth", "--listen", "tcp:127.0.0.1:0").CombinedOutput()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), l.directory) {
				t.Errorf("a start without the directory: %v %s", err, out)
			}
			move(aside, l.directory)
			l.start(t.Context(), "a")
			l.goesOn("once it is back")
			if said, err := l.decide(db.PoliteBlock); err != nil {
				t.Errorf("a change once it is back: %v %s", err, said)
			}
			l.goesOn("after a change")

			// A copy with another rule takes its place.
			for _, args := range [][]string{{"export", aside + ".yaml", "--directory", l.directory}, {"init", "example.com", "--default", "allow", "--directory", aside}, {"import", aside + ".yaml", "--directory", aside},
				{"policy", "set", "u0", "wa0", "allow", "--directory", aside}} {
				if out, err := exec.Command(l.binary, append([]string{"directory"}, args...)...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v %s", args, err, out)
				}
			}
			gone := filepath.Join(l.dir, "gone")
			move(l.directory, gone)
			move(aside, l.directory)
			l.w.block(false)
			l.goesOn("once another is there")
			health("ok\n")
			if a := l.ask("a", l.request(message.SUBSCRIBE, "wa1", "nobody", "Event", "presence", "Expires", "0")); a.status() != 404 {
				t.Errorf("a user who is in no directory: %d", a.status())
			}
		})
	}
}
