package figures

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/programs"
	"presfed/db"
	"presfed/routing"
)

// onA is a place on server-a alone.
var onA = routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}

// disk is a file system that is small.
type disk struct {
	at      string // where processes find it that are run by run
	outside string // where everybody else does, but for SQLite
	run     string // a program that runs its arguments where the disk is
}

// smallDisk is a file system of that size, in a mount namespace of its own. It is gone
// with the test.
func smallDisk(t *testing.T, size string) disk {
	t.Helper()
	d := disk{at: t.TempDir(), run: filepath.Join(t.TempDir(), "run")}
	args, enter := []string{"--mount"}, "nsenter --mount=/proc/%[1]d/ns/mnt"
	if os.Getuid() != 0 {
		args, enter = append(args, "--map-root-user"), "nsenter --user=/proc/%[1]d/ns/user --mount=/proc/%[1]d/ns/mnt --preserve-credentials"
	}
	cmd := exec.Command("unshare", append(args, "sh", "-c", `mount -t tmpfs -o size=$1 none "$2" && echo mounted && exec cat`, "sh", size, d.at)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		programs.Skip(t, "a full disk", err.Error())
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "mounted\n" {
		programs.Skip(t, "a full disk", "no file system may be mounted here, not in a namespace of its own either")
	}
	d.outside = fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, d.at)
	script := fmt.Sprintf("#!/bin/sh\nexec "+enter+" -- \"$@\"\n", cmd.Process.Pid)
	if err := os.WriteFile(d.run, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return d
}

// fill takes all the room there is for a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 16; n > 0; {
		if _, err = f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
}

// putOff holds an answer to be 503 with when to try again.
func putOff(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status() != 503 || message.Get(a.Response, "Retry-After") == "" || !strings.Contains(message.Get(a.Response, "Warning"), "cannot be kept") {
		t.Errorf("%s: want 503 and Retry-After, have %d\n%v", what, a.status(), a.Response)
	}
}

func (b *unionBed) health(x string) string {
	b.t.Helper()
	return b.servers[x].get("/healthz")
}

// TestTheDiskIsFull: what would change something is 503, and nothing of it happens;
// everything else goes on. Once there is room all does, and nothing acknowledged is
// lost.
func TestTheDiskIsFull(t *testing.T) {
	ctx := t.Context()
	small := smallDisk(t, "2m")
	b := newUnionBed(ctx, t, onA, db.RootPolicy, 1, 2, "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "--peer-retry", "100ms")
	directory := func(args ...string) (string, error) {
		said, err := exec.Command(small.run, append([]string{b.binary, "directory", "--directory", filepath.Join(small.at, "directory.db")}, args...)...).CombinedOutput()
		return string(said), err
	}
	for _, args := range [][]string{{"init", "example.com"}, {"user", "add", "u0"}, {"user", "add", "wa1"}} {
		if said, err := directory(args...); err != nil {
			t.Fatal(said)
		}
	}
	b.servers["a"].kill() // server-a alone has its state on the small disk
	b.enter, b.flags = small.run, append(b.flags, "--state", filepath.Join(small.at, "server-a.state"))
	b.start(ctx, "a")
	c := newCrowd(t, map[string]string{"a": b.servers["a"].tcp, "b": b.servers["b"].tcp})
	k := &killBed{unionBed: b, crowd: c}
	u := &person{b: k, user: "u0", tuples: map[string][]int{}}
	pc, w, r := &device{p: u, x: "a", name: "pc", user: "u0"}, &watching{c: c, p: u, watcher: "wa0", x: "a"}, &registering{c: c, user: "wa1", x: "a", there: map[string]lease{}}
	k.watches = []*watching{w}
	publish := func() answer {
		before := pc.version
		req := c.request(message.PUBLISH, "u0", "u0", "Event", "presence", "Expires", "3600")
		if pc.etag != "" {
			message.Add(req, "SIP-If-Match", pc.etag)
		}
		message.SetBody(req, "application/pidf+xml", document("u0", "pc", before+1))
		a := c.try("a", req, &c.publish)
		if a.done() {
			pc.version, pc.etag = before+1, message.Get(a.Response, "SIP-ETag")
			u.may("pc", pc.version)
		}
		return a
	}
	filler := filepath.Join(small.outside, "filler")
	// Room is made by folding the log, until that is taken as well.
	untilFull := func() answer {
		for end := time.Now().Add(patience); time.Now().Before(end); {
			fill(t, filler)
			if a := publish(); !a.done() {
				return a
			}
		}
		t.Fatal("it never was full")
		return answer{}
	}
	// NOTIFYs wait where no CSeq numbers can be set aside for them; a fetch needs none.
	fetched := func(when string) {
		t.Helper()
		f := &watching{c: c, p: u, watcher: "wa1", x: "a"}
		if _, a := f.subscribe("0"); !a.done() {
			t.Errorf("%s, a fetch: %d", when, a.status())
			return
		}
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			if shown, over := f.last(); over {
				if differs := u.differs(shown); differs != "" {
					t.Errorf("%s, a fetch: %s", when, differs)
				}
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s, a fetch brings no NOTIFY", when)
			}
		}
	}
	w.begin()
	r.step(rand.New(rand.NewPCG(1, 0)))
	publish()
	b.servers["a"].stop() // what there is has its pages in the file
	b.start(ctx, "a")
	for range 1000 { // with what is written for each the log alone would fill it
		if a := publish(); !a.done() {
			t.Fatalf("version %d, with room if the log is folded: %d", pc.version+1, a.status())
		}
	}
	k.right("while there is room")

	putOff(t, "PUBLISH", untilFull())
	putOff(t, "REGISTER", r.ask("sip:wa1@192.0.2.250", 3600))
	putOff(t, "a refresh", w.refresh())
	putOff(t, "the end of a publication", c.ask("a", c.request(message.PUBLISH, "u0", "u0", "Event", "presence", "Expires", "0", "SIP-If-Match", pc.etag)))
	other := &watching{c: c, p: u, watcher: "wa1", x: "a", newest: map[string]int{}}
	if other.begin(); other.dialog != nil {
		t.Error("a subscription was taken that cannot be kept")
	}
	if said := b.health("a"); !strings.Contains(said, "state: not written") {
		t.Errorf("health: %s", said)
	}
	// What changes nothing goes on.
	if a := r.ask("", 0); !a.done() {
		t.Errorf("REGISTER that asks what there is: %d", a.status())
	} else {
		r.check(a)
	}
	fetched("while the disk is full")
	rules := 0
	for said, err := "", error(nil); ; rules++ { // while there is room in what its log has
		if said, err = directory("policy", "set", "u0", "wa1", []string{"block", "allow"}[rules%2]); err != nil {
			if !strings.Contains(said, "full") && !strings.Contains(said, "no space left") {
				t.Errorf("directory policy set: %v %s", err, said)
			}
			break
		}
		if rules == 20 {
			t.Error("the directory never was full")
			break
		}
	}

	// Killed and started while it is full.
	b.servers["a"].kill()
	b.start(ctx, "a")
	fetched("after a restart on a full disk")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if a := publish(); !a.done() {
		t.Errorf("PUBLISH once there is room: %d", a.status())
	}
	w.goOn(nil)
	r.goOn(nil)
	r.step(rand.New(rand.NewPCG(1, 0)))
	if said := b.health("a"); said != "ok\n" {
		t.Errorf("health once there is room: %s", said)
	}
	k.right("once there is room")
	b.servers["a"].kill()
	b.sound(filepath.Join(small.outside, "server-a.state"))
	b.start(ctx, "a")
	k.right("after a kill")
	if a := publish(); !a.done() {
		t.Errorf("PUBLISH after a kill: %d", a.status())
	}
	w.goOn(nil)
	r.goOn(nil)
	k.right("at the end")
}
