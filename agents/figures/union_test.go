package figures

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"presfed/db"
	"presfed/routing"
)

// The variables that make TestUnionFigures larger, as "1000x10" users and watchers
// of each, and that name a folder for profiles.
const (
	unionSize     = "PRESFED_UNION"
	unionProfiles = "PRESFED_UNION_PROFILES"
)

// budget is the memory that so many watches may cost a server, in MiB: what it takes
// to work at all, and 20 KiB for each. What holds it caps at ten times that.
func budget(watches int) int { return 12 + watches*20/1024 }

// form is one way for a user to be on two servers, and what a change by her device
// at server-a, or at server-b, takes between the servers: each NOTIFY and its 200.
type form struct {
	name  string
	place routing.Place
	mode  db.PolicyMode
	link  func(onA, onB int) (pc, phone int) // from how many watch at each
}

var forms = []form{
	{"partitioned", routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}, db.RootPolicy,
		func(_, onB int) (int, int) { return 2 * onB, 2 * onB }},
	{"hierarchical, own share", routing.Place{Model: routing.Hierarchical, Root: "server-a", Servers: []string{"server-a", "server-b"}}, db.RootPolicy,
		func(_, onB int) (int, int) { return 2 * onB, 2 + 2*onB }},
	{"hierarchical, on behalf", routing.Place{Model: routing.Hierarchical, Root: "server-a", Servers: []string{"server-a", "server-b"}}, db.DistributedPolicy,
		func(onA, onB int) (int, int) { return 2 * onB, 2*(onA+onB) + 2*onB }},
	{"peer, own share", routing.Place{Model: routing.Peer, Servers: []string{"server-a", "server-b"}}, db.RootPolicy,
		func(int, int) (int, int) { return 2, 2 }},
	{"peer, on behalf", routing.Place{Model: routing.Peer, Servers: []string{"server-a", "server-b"}}, db.DistributedPolicy,
		func(onA, onB int) (int, int) { return 2 * onB, 2 * onA }},
}

// TestUnionFigures measures what users on two servers cost, in each form of union
// beside the partitioned one, over processes: messages a change, counted and exactly
// as many as it takes; the time to the last watcher; memory and processor time.
func TestUnionFigures(t *testing.T) {
	users, each := 20, 3
	if s := os.Getenv(unionSize); s != "" {
		if _, err := fmt.Sscanf(s, "%dx%d", &users, &each); err != nil || users < 1 || each < 1 {
			t.Fatalf("%s=%s: want users and watchers of each, as 1000x10", unionSize, s)
		}
	}
	var rows []string
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) { rows = append(rows, measureUnion(t, f, users, each)) })
	}
	fmt.Printf("\n%d users with %d watchers each\n\n| | messages a change: link | in all | last watcher p50 | p99 | changes a second | p50 then | p99 then | CPU a change, a + b | memory a | memory b | back-ends a + b |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n", users, each)
	for _, row := range rows {
		fmt.Println(row)
	}
}

func measureUnion(t *testing.T, f form, users, each int) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	watchers := max(each, users*each/200) // of whom each watches some hundred
	b := newUnionBed(ctx, t, f.place, f.mode, users, watchers, "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "--pprof")
	before := map[string]int{}
	for x, p := range b.servers {
		before[x] = p.resident()
	}

	// Each user has a PC and a phone, and her watchers take turns at the servers.
	var all []*publication
	for i := range users {
		user := fmt.Sprint("u", i)
		phone := "b"
		if f.place.Model == routing.Partitioned {
			phone = "a"
		}
		all = append(all, &publication{user: user, device: "pc", server: "a"}, &publication{user: user, device: "phone", server: phone})
	}
	b.each(len(all), func(i int) { b.load.publish(all[i]) })
	b.each(users*each, func(i int) {
		n := i / users
		x := []string{"a", "b"}[n%2]
		b.load.watch(fmt.Sprint("w", x, (i+n/2)%watchers), x, fmt.Sprint("u", i%users))
	})
	onA, onB := (each+1)/2, each/2
	held := b.settled(false)
	b.complete(users, each)
	b.load.repeated()

	// One change after another: how many messages, and when the last watcher knows.
	changes := min(users, 250)
	lasts := map[string][]time.Duration{}
	cost := map[string]counts{}
	for k, device := range []string{"pc", "phone"} { // which stand beside each other in all
		start := b.settled(false)
		for i := range changes {
			lasts["one"] = append(lasts["one"], b.change(all[2*i+k]))
		}
		end := b.settled(false)
		cost[device] = counts{link: end.link - start.link, all: end.all - start.all}
	}
	pc, phone := f.link(onA, onB)
	for device, link := range map[string]int{"pc": pc, "phone": phone} {
		// PUBLISH and NOTIFYs on the clients' side, each with its 200.
		want := counts{link: changes * link, all: changes * (2 + 2*each + link)}
		if got := cost[device]; got.link != want.link || got.all != want.all {
			t.Errorf("%d changes by the %s: %d messages between the servers and %d in all, want %d and %d", changes, device, got.link, got.all, want.link, want.all)
		}
	}

	// All users' devices change, many at a time.
	profile := b.profile(f.name)
	cpu := b.worked()
	began := time.Now()
	var mu sync.Mutex
	rounds := max(1, 2000/len(all)) // some seconds
	if users < 100 {
		rounds = 1
	}
	for range rounds {
		order := rand.Perm(users)
		for _, k := range []int{0, 1} { // a user's one after the other
			b.each(users, func(i int) {
				took := b.change(all[2*order[i]+k])
				mu.Lock()
				defer mu.Unlock()
				lasts["many"] = append(lasts["many"], took)
			})
		}
	}
	took := time.Since(began)
	cpu = b.worked() - cpu
	profile()
	after := b.settled(false)
	if n := b.load.repeated(); n > 0 {
		t.Errorf("%d documents were told twice", n)
	}
	for x, n := range after.watches {
		if n != held.watches[x] || after.shares[x] != held.shares[x] {
			t.Errorf("server-%s: %d watches and %d shares, before the changes %d and %d", x, n, after.shares[x], held.watches[x], held.shares[x])
		}
	}
	memory := map[string]int{}
	for x, p := range b.servers {
		memory[x] = p.resident()
		if most := before[x] + 10*budget(users*each); memory[x] > most {
			t.Errorf("server-%s: %d MiB resident, want less than %d", x, memory[x], most)
		}
	}
	n := rounds * len(all)
	return fmt.Sprintf("| %s | %.1f | %.1f | %s | %s | %.0f | %s | %s | %s | %d → %d MiB | %d → %d MiB | %d + %d |", f.name,
		float64(pc+phone)/2, float64(2+2*each)+float64(pc+phone)/2, quantile(lasts["one"], 50), quantile(lasts["one"], 99),
		float64(n)/took.Seconds(), quantile(lasts["many"], 50), quantile(lasts["many"], 99), (cpu / time.Duration(n)).Round(10*time.Microsecond),
		before["a"], memory["a"], before["b"], memory["b"], after.shares["a"], after.shares["b"])
}

// atOnce is how many requests of the load are under way at a time.
const atOnce = 32

// each does something n times, some at once.
func (b *unionBed) each(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// change publishes, and gives how long after the 200 the last watcher was told:
// nothing where she was before it.
func (b *unionBed) change(p *publication) time.Duration {
	w := b.load.expect(p.user, p.device, p.version+1)
	at := b.load.publish(p)
	select {
	case <-w.done:
		return max(0, w.last.Sub(at))
	case <-time.After(30 * time.Second):
		b.t.Errorf("%s of %s, version %d: %d watchers are not told", p.device, p.user, p.version, w.left)
		return 0
	}
}

// complete waits until every watcher has a whole document.
func (b *unionBed) complete(users, each int) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		whole := 0
		b.load.mu.Lock()
		for _, w := range b.load.watches {
			if w.shown["pc"] == 1 && w.shown["phone"] == 1 {
				whole++
			}
		}
		b.load.mu.Unlock()
		if whole == users*each {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d of %d watchers see both devices", whole, users*each)
		}
	}
}

// worked is the processor time of both servers.
func (b *unionBed) worked() (d time.Duration) {
	for _, p := range b.servers {
		d += p.worked()
	}
	return d
}

// profile keeps what the servers do until it ends, if a folder for that is named.
func (b *unionBed) profile(form string) (end func()) {
	dir := os.Getenv(unionProfiles)
	if dir == "" {
		return func() {}
	}
	keep := func(x, what, query string) {
		res, err := http.Get(b.servers[x].admin + "/debug/pprof/" + what + query)
		if err != nil {
			b.t.Error(err)
			return
		}
		defer res.Body.Close()
		file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s server-%s %s", form, x, what)))
		if err == nil {
			_, err = io.Copy(file, res.Body)
			err = cmp.Or(err, file.Close())
		}
		if err != nil {
			b.t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for x := range b.servers {
		wg.Go(func() { keep(x, "profile", "?seconds=3") })
	}
	return func() {
		wg.Wait()
		for x := range b.servers {
			keep(x, "heap", "?gc=1")
		}
	}
}

func quantile(d []time.Duration, percent int) time.Duration {
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[min(len(d)-1, len(d)*percent/100)].Round(10 * time.Microsecond)
}
