package figures

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"presfed/agents/programs"
	"presfed/db"
	"presfed/routing"
)

// overloadTime is the variable that says how long TestOverload offers more than can
// be taken, as 2m.
const overloadTime = "PRESFED_OVERLOAD"

// TestOverload offers three times what a server can take, server and users on a
// processor each: what it answers in time stays near its best, the rest is refused,
// its memory is bounded, and after it all is as before. What it answers is compared by
// the second of processor time, for others may have the processor as well.
func TestOverload(t *testing.T) {
	length, users, lines, least, step := 2*time.Second, 1500, 16, 0.4, 400*time.Millisecond
	flags := []string{"--max-delay", "50ms"} // so that so few users can be too many
	if os.Getenv(overloadTime) != "" {
		length = duration(t, overloadTime, 0)
		users, lines, least, step, flags = 15_000, 100, 0.8, 8*time.Second, nil
	}
	server := newStormServer(t.Context(), t, users, flags...)
	s := newStorm(t, netip.MustParseAddrPort(server.tcp), netip.MustParseAddrPort(server.link), users, lines)
	s.setUp()

	measured := func(run func() *stormPhase) *stormPhase {
		worked := server.worked()
		p := run()
		p.cpu, p.resident = server.worked()-worked, max(p.resident, server.resident())
		return p
	}
	var most float64 // a second
	var best *stormPhase
	for _, n := range []int{16, 64, 256, users / 15} {
		p := measured(func() *stormPhase { return s.closed(n, step) })
		t.Logf("%d under way: %.0f a second, p99 %s, answers %v", n, p.perSecond(), quantile(p.took, 99), p.statuses)
		if most = max(most, p.perSecond()); best == nil || p.perCPU() > best.perCPU() {
			best = p
		}
	}
	before := measured(func() *stormPhase { return s.rate(most/2, step, nil) })
	over := measured(func() *stormPhase {
		return s.rate(3*most, length, func(p *stormPhase) { p.resident = max(p.resident, server.resident()) })
	})
	over.unread += s.abandon()
	drained := time.Now()
	half, slack := most/2, 100*time.Millisecond
	if least < 0.8 { // among other tests, which leave it less at one time than at another
		half, slack = most/20, time.Second
	}
	longest := max(2*quantile(before.took, 99), slack)
	var after *stormPhase
	normal := time.Hour
	for normal > 30*time.Second && time.Since(drained) < 30*time.Second {
		after = measured(func() *stormPhase { return s.rate(half, max(step, min(30*time.Second, length)), nil) })
		after.unread += s.abandon()
		normal = min(normal, after.normal(longest)+max(0, after.began.Sub(drained)))
	}

	fmt.Printf("\n| | offered a second | 2xx within %s, a second | a second of processor | of the best | p50 | p99 | 503 with Retry-After | 2xx later | unanswered | others | resident |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n", inTime)
	for _, r := range []struct {
		name string
		*stormPhase
	}{{"the best", best}, {"half of it", before}, {"three times it", over}, {"half of it again", after}} {
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f %% | %s | %s | %.1f %% | %.1f %% | %.1f %% | %.2f %% | %d MiB |\n", r.name, float64(r.offered)/r.ended.Sub(r.began).Seconds(),
			r.perSecond(), r.perCPU(), 100*r.perCPU()/best.perCPU(), quantile(r.took, 50), quantile(r.took, 99), r.share(r.refused), r.share(r.late), r.share(r.unread), r.share(r.other+r.bare), r.resident)
	}
	fmt.Printf("\nOverload lasted %s, and the server had %.0f %% of its processor meanwhile. As before (a second of 2xx alone, none after more than %s) after %s.\n",
		length, 100*over.cpu.Seconds()/over.ended.Sub(over.began).Seconds(), longest, normal)

	if r := over.perCPU() / best.perCPU(); r < least {
		t.Errorf("three times the load: %.0f %% of the best is answered in time, want %.0f %%", 100*r, 100*least)
	}
	if over.bare > 0 || over.share(over.other) > 1 {
		t.Errorf("answers other than 2xx and 503 with Retry-After: %v", over.statuses)
	}
	if over.refused == 0 && over.good < over.offered { // a small one may be taken whole, where it alone is at work
		t.Error("nothing was refused")
	}
	if cap := 2*best.resident + 128; over.resident > cap {
		t.Errorf("%d MiB resident, want %d at most", over.resident, cap)
	}
	if normal > 30*time.Second {
		t.Errorf("not as before within 30s; answers %v", after.statuses)
	}
}

// newStormServer is server-a alone, over TCP and UDP, on a processor of its own;
// this process keeps to the others.
func newStormServer(ctx context.Context, t *testing.T, users int, flags ...string) *process {
	t.Helper()
	if _, err := exec.LookPath("taskset"); err != nil || runtime.NumCPU() < 2 {
		t.Log("server and users are not kept apart: no taskset, or one processor alone")
		return startStormServer(ctx, t, nil, users, flags...)
	}
	p := startStormServer(ctx, t, []string{"taskset", "-c", "0"}, users, flags...)
	pin(t, "1-"+strconv.Itoa(runtime.NumCPU()-1))
	return p
}

// startStormServer has enter run the server, which may be nothing.
func startStormServer(ctx context.Context, t *testing.T, enter []string, users int, flags ...string) *process {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc and taskset")
	}
	binary := programs.Ours(t)
	dir := t.TempDir()
	directory := filepath.Join(dir, "directory.db")
	d, err := db.Open(ctx, directory, db.Options{Create: true, Domain: db.Domain{Name: "example.com", Default: db.Allow}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Update(ctx, func(tx *db.Tx) error {
		if err := tx.AddServer(db.Server{Name: "server-a", URI: "sip:127.0.0.1:5061;transport=tls", Identity: "servera.example.com"}); err != nil {
			return err
		}
		for i := range users {
			if err := add(tx, fmt.Sprint("u", i), routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"server-a", "--directory", directory, "--listen", "tcp:127.0.0.1:0", "--listen", "udp:127.0.0.1:0", "--no-auth", "--admin", "127.0.0.1:0", "--pprof"}, flags...)
	args = append(append(enter, binary), args...)
	return serve(ctx, t, "server-a", args[0], args[1:]...)
}

// pin keeps this process to those processors until the test ends.
func pin(t *testing.T, processors string) {
	t.Helper()
	set := func(to string) error {
		return exec.Command("taskset", "-a", "-c", "-p", to, strconv.Itoa(os.Getpid())).Run()
	}
	if err := set(processors); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set("0-" + strconv.Itoa(runtime.NumCPU()-1)); err != nil {
			t.Error(err)
		}
	})
}
