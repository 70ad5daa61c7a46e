package figures

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/cut"
	"presfed/agents/internal/message"
	"presfed/db"
	"presfed/routing"
)

// cutTime is the variable that says how long TestLinkCut cuts the link, as 1m; the
// servers then have the times that they have by themselves.
const cutTime = "PRESFED_CUT"

// TestLinkCut cuts the link between two servers for a while, on which all goes on
// as far as it can: presence and IM on each side are as quick as ever, and what is
// beyond the cut is not waited for. After it all see the newest within one retry, by
// the subscriptions there were.
func TestLinkCut(t *testing.T) {
	length, retry, grace := 2*time.Second, 500*time.Millisecond, 500*time.Millisecond
	flags := []string{"--peer-retry", retry.String(), "--share-grace", grace.String(), "--keep-alive", "300ms"}
	long := os.Getenv(cutTime) != ""
	if long {
		length, retry, grace, flags = duration(t, cutTime, 0), 5*time.Second, 30*time.Second, nil
	}
	type row struct{ name, text string }
	var mu sync.Mutex
	var rows []row
	t.Run("forms", func(t *testing.T) {
		for _, f := range forms {
			if !f.place.Model.Unioned() || f.mode == db.DistributedPolicy && !long {
				continue // on behalf is in the servers' own tests
			}
			for how, state := range map[string]cut.State{"connections refused": cut.Refused, "bytes swallowed": cut.Silent} {
				name := f.name + ", " + how
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c := newLinkCut(t, f, flags)
					text := c.run(state, length, retry, grace)
					mu.Lock()
					defer mu.Unlock()
					rows = append(rows, row{name, text})
				})
			}
		}
	})
	fmt.Printf("\nThe link cut for %s; a retry each %s, grace %s\n\n| | local presence, longest | local MESSAGE, longest | MESSAGE to a union, longest | INVITE answered 486 by who is reached, longest | tuples beyond gone after | all see the newest after |\n|---|---|---|---|---|---|---|\n", length, retry, grace)
	slices.SortFunc(rows, func(a, b row) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	for _, r := range rows {
		fmt.Printf("| %s | %s |\n", r.name, r.text)
	}
}

// linkCut is a union over a link that can be cut.
type linkCut struct {
	*unionBed
	root    bool // only server-a answers for the users
	links   []*cut.Link
	devices []*publication // one at each server for each user
	local   []*publication // whom one at the same server watches
	across  []*publication // whom one beyond the cut watches
}

const cutUsers = 10

func newLinkCut(t *testing.T, f form, flags []string) *linkCut {
	ctx := t.Context()
	// Not where the link's connections come from: a response whose connection is gone
	// goes there (RFC 3261 section 18.2.2), and would go past the link.
	c := &linkCut{unionBed: newUnionBed(ctx, t, f.place, f.mode, cutUsers, 5, "tcp:127.0.0.1:0", "tls:127.0.0.2:0", flags...), root: f.place.Model == routing.Hierarchical}
	at := map[string]string{}
	for x, p := range c.servers {
		link, err := cut.New(netip.MustParseAddrPort(p.link).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { link.Close() })
		c.links = append(c.links, link)
		at[x] = link.Addr().String()
	}
	c.reach(ctx, at)
	c.people()
	return c
}

// people are those who publish.
func (c *linkCut) people() {
	for i := range cutUsers {
		user := fmt.Sprint("u", i)
		c.devices = append(c.devices, &publication{user: user, device: "pc", server: "a"}, &publication{user: user, device: "phone", server: "b"})
	}
	for _, x := range []string{"a", "b"} {
		c.local = append(c.local, &publication{user: "w" + x + "0", device: "pc", server: x})
		c.across = append(c.across, &publication{user: "w" + x + "1", device: "pc", server: x})
	}
}

// inhabit has them publish, with what else there is, watch and log in.
func (c *linkCut) inhabit(besides ...*publication) (everything []*publication) {
	everything = slices.Concat(c.devices, c.local, c.across)
	for _, p := range slices.Concat(everything, besides) {
		c.load.publish(p)
	}
	for i := range cutUsers {
		for n := range 4 {
			x := []string{"a", "b"}[n%2]
			c.load.watch(fmt.Sprint("w", x, 2+n/2), x, fmt.Sprint("u", i))
		}
	}
	for i, x := range []string{"a", "b"} {
		c.load.watch("w"+x+"4", x, c.local[i].user)
		c.load.watch("w"+x+"4", x, c.across[1-i].user)
		c.load.register("u0", x)
		c.load.register("w"+x+"0", x)
	}
	return everything
}

func (c *linkCut) set(s cut.State) {
	for _, link := range c.links {
		link.Set(s)
	}
}

// run is the whole of it, and its row of figures.
func (c *linkCut) run(state cut.State, length, retry, grace time.Duration) string {
	t := c.t
	tablet := &publication{user: "u0", device: "tablet", server: "b"}
	everything := c.inhabit(tablet)
	c.newest(time.Minute, map[string]map[string]int{"u0": {"pc": 1, "phone": 1, "tablet": 1}}, everything)
	before := c.settled(true)
	c.load.repeated()

	c.set(state)
	began := time.Now()
	longest := map[string]time.Duration{}
	gone := time.Duration(0)
	var mu sync.Mutex
	var busy sync.WaitGroup
	took := func(what string, d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		longest[what] = max(longest[what], d)
	}
	c.load.unpublish(tablet)
	ctx, over := context.WithDeadline(t.Context(), began.Add(length))
	defer over()
	for _, x := range []string{"a", "b"} {
		busy.Go(func() { c.talk(ctx, x, took) })
	}
	busy.Go(func() { // what server-a shows of server-b's devices; the cut lasts until it is gone
		for ; time.Since(began) < length+time.Minute; time.Sleep(10 * time.Millisecond) {
			if c.load.hides("u1", "phone", "a") {
				gone = time.Since(began)
				return
			}
		}
	})
	for ctx.Err() == nil {
		for _, p := range c.local {
			took("presence", c.change(p))
		}
		for _, p := range slices.Concat(c.devices, c.across) {
			c.load.publish(p)
		}
		select {
		case <-ctx.Done():
		case <-time.After(length / 20): // how often they change
		}
	}
	busy.Wait()
	c.set(cut.Whole)
	healed := time.Now()
	c.newest(time.Minute, nil, everything)
	converged := time.Since(healed)
	if most := retry + 5*time.Second; converged > most {
		t.Errorf("all see the newest %s after the link has healed, want %s at most", converged, most)
	}
	after := c.settled(true)
	if !maps.Equal(after.shares, before.shares) || !maps.Equal(after.watches, before.watches) {
		t.Errorf("shares %v and watches %v, before the cut %v and %v", after.shares, after.watches, before.shares, before.watches)
	}
	for _, p := range everything {
		c.change(p)
	}
	c.newest(time.Minute, nil, everything)
	if n, all := c.load.repeated(), len(c.load.watches); n > all {
		t.Errorf("%d documents were told twice to %d watchers", n, all)
	}
	if gone == 0 {
		t.Errorf("what is beyond the cut is shown for all of %s", length)
	}
	// A transaction would wait for 32 seconds (RFC 3261, Timers B and F).
	if most := 16 * time.Second; longest["INVITE"] > most || max(longest["presence"], longest["local MESSAGE"], longest["MESSAGE"]) > most/2 {
		t.Errorf("waited for what is beyond the cut: %v", longest)
	}
	round := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	return fmt.Sprintf("%s | %s | %s | %s | %s | %s", round(longest["presence"]), round(longest["local MESSAGE"]),
		round(longest["MESSAGE"]), round(longest["INVITE"]), round(gone), round(converged))
}

// talk sends messages at a server until ctx ends.
func (c *linkCut) talk(ctx context.Context, x string, took func(what string, d time.Duration)) {
	says := func(what, method, to string, want int) {
		status, d := c.load.says(method, "w"+x+"4", x, to)
		if took(what, d); status != want {
			c.t.Errorf("%s at server-%s: %d, want %d", what, x, status, want)
		}
	}
	for ctx.Err() == nil {
		says("local MESSAGE", message.MESSAGE, "w"+x+"0", 200)
		if !c.root || x == "a" {
			says("MESSAGE", message.MESSAGE, "u0", 200)
			says("INVITE", message.INVITE, "u0", 486)
		} else {
			says("beyond", message.MESSAGE, "u0", 500) // nobody here answers for her
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// newest waits until all watchers see the newest of all that is published; besides
// says otherwise of some users.
func (c *linkCut) newest(within time.Duration, besides map[string]map[string]int, published []*publication) {
	c.t.Helper()
	want := map[string]map[string]int{}
	for _, p := range published {
		if want[p.user] == nil {
			want[p.user] = map[string]int{}
		}
		want[p.user][p.device] = p.version
	}
	maps.Copy(want, besides)
	for end := time.Now().Add(within); ; time.Sleep(2 * time.Millisecond) {
		wrong := c.load.differs(want)
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("never: %s", wrong)
		}
	}
}

// differs says in what a watcher does not see what is wanted of those users.
func (l *load) differs(want map[string]map[string]int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for user, devices := range want {
		for _, w := range l.of[user] {
			if !maps.Equal(w.shown, devices) {
				return fmt.Sprintf("%s sees %v, want %v", w.name, w.shown, devices)
			}
		}
	}
	return ""
}

// hides says that none of a server's watchers of a user is shown that device.
func (l *load) hides(user, device, x string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(l.of[user], func(w *watch) bool {
		_, shown := w.shown[device]
		return shown && w.server == x
	})
}
