package figures

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"presfed/db"
	"presfed/routing"
)

// patience bounds every wait for something that has to come.
const patience = 20 * time.Second

// killBed is server-a and server-b, to be killed, and the crowd that uses them.
type killBed struct {
	*unionBed
	*crowd
	rng     *rand.Rand
	persons []*person
	watches []*watching
	actors  []actor
	decider *decider
	herself *ruling

	interrupted int64 // requests under way at the kills
}

// killPlaces are how the users are placed.
var killPlaces = []routing.Place{
	{Model: routing.Partitioned, Servers: []string{"server-a"}},
	{Model: routing.Partitioned, Servers: []string{"server-b"}},
	{Model: routing.Hierarchical, Servers: []string{"server-a", "server-b"}, Root: "server-a"},
	{Model: routing.Peer, Servers: []string{"server-a", "server-b"}},
}

// newKillBed has two users of each place with two devices each, watchers at both
// servers, and users who register.
func newKillBed(t *testing.T, seed uint64) *killBed {
	// An address of its own: a port of it is nobody else's while its server is away.
	own := fmt.Sprintf("127.77.%d.%d:0", os.Getpid()>>8&255, os.Getpid()&255)
	b := &killBed{rng: rand.New(rand.NewPCG(seed, 0)), unionBed: newUnionBed(t.Context(), t, killPlaces[0], db.RootPolicy, 0, 6, "tcp:"+own, "tls:"+own, "--peer-retry", "200ms", "--xcap", "tcp:127.0.0.1:0")}
	b.crowd = newCrowd(t, map[string]string{"a": b.servers["a"].tcp, "b": b.servers["b"].tcp})
	b.decider, b.herself = &decider{b: b}, &ruling{b: b}
	b.actors = append(b.actors, b.decider, b.herself)
	for i := range 8 {
		p := &person{b: b, number: i, place: killPlaces[i%len(killPlaces)]}
		p.begin()
		b.persons = append(b.persons, p)
		for n, x := range []string{"a", "b"} {
			if name := "server-" + x; !slices.Contains(p.place.Servers, name) {
				x = p.place.Servers[0][len("server-"):]
			}
			b.actors = append(b.actors, &device{p: p, x: x, n: n})
		}
		for n, x := range []string{"a", "b", "a", "b"} {
			w := &watching{c: b.crowd, p: p, watcher: fmt.Sprint("w", x, n), x: x}
			b.watches = append(b.watches, w)
			b.actors = append(b.actors, w)
			if n >= 2 { // for policy to turn about
				w.steady = true
				if i < 4 {
					b.decider.of = append(b.decider.of, w)
				} else {
					b.herself.of = append(b.herself.of, w)
				}
			}
		}
	}
	for i := range 6 {
		x := []string{"a", "b"}[i%2]
		b.actors = append(b.actors, &registering{c: b.crowd, user: fmt.Sprint("w", x, i), x: x, there: map[string]lease{}})
	}
	return b
}

// newUser adds a user to the directory.
func (b *killBed) newUser(name string, place routing.Place) {
	b.update(context.Background(), func(tx *db.Tx) error { return add(tx, name, place) })
}

// sound looks through the state that a server left behind when it was killed, a copy of
// it, as looking would mend it; and through the directory.
func (b *unionBed) sound(left string) {
	b.t.Helper()
	dir := b.t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(left + suffix)
		if err != nil && !os.IsNotExist(err) {
			b.t.Fatal(err)
		}
		if err == nil {
			if err := os.WriteFile(filepath.Join(dir, "state"+suffix), content, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	for _, path := range []string{filepath.Join(dir, "state"), b.directory} {
		raw, err := sql.Open("sqlite3", path)
		if err != nil {
			b.t.Fatal(err)
		}
		var said string
		if err := raw.QueryRow("PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
			b.t.Errorf("%s after a kill: %q %v", path, said, err)
		}
		raw.Close()
	}
}

// right waits until every watcher is shown what she may see.
func (b *killBed) right(when string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		var wrong []string
		for _, w := range b.watches {
			if why := w.wrong(); why != "" {
				wrong = append(wrong, why)
			}
		}
		if len(wrong) == 0 || b.t.Failed() {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: %s", when, strings.Join(wrong, "\n"))
		}
	}
}

// person is somebody who is watched.
type person struct {
	b      *killBed
	number int
	place  routing.Place
	turns  int // how many users she has been

	mu     sync.Mutex
	user   string
	tuples map[string][]int // what each device's may show: a version, 0 for none; two while it is not known
	stuck  int              // tuples whose entity-tag an answer would have told
}

// begin makes her another user, of whom nothing is known yet.
func (p *person) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns++
	p.user, p.tuples, p.stuck = fmt.Sprintf("p%d-%d", p.number, p.turns), map[string][]int{}, 0
	p.b.newUser(p.user, p.place)
}

func (p *person) name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.user
}

// may says what a device's tuple may show.
func (p *person) may(device string, versions ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tuples[device] = versions
}

// differs says in what a document is not what it may be; "": in nothing.
func (p *person) differs(shown map[string]int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for device := range shown {
		if p.tuples[device] == nil {
			return "shows " + device
		}
	}
	for device, may := range p.tuples {
		if !slices.Contains(may, shown[device]) {
			return fmt.Sprintf("shows version %d of %s, want one of %v", shown[device], device, may)
		}
	}
	return ""
}

// settle takes what is shown, now that all is, for what is where it was not known.
func (p *person) settle(watches []*watching) {
	for _, w := range watches {
		if w.p != p {
			continue
		}
		if shown, ok := w.whole(); ok {
			p.mu.Lock()
			for device := range maps.Clone(p.tuples) {
				p.tuples[device] = []int{shown[device]}
			}
			p.mu.Unlock()
			return
		}
	}
}
