package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
)

// killSeed is the variable that repeats a run of TestKill.
const killSeed = "PRESFED_KILL_SEED"

// patience bounds every wait for something that has to come.
const patience = 10 * time.Second

// TestKill kills server-b with signal 9, again and again, while bob publishes
// and registers there and alice watches him through server-a. Nothing that was
// answered 2xx may be lost; what was not answered may have happened or not.
func TestKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv(killSeed); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d repeats the choices", killSeed, seed)
	kills := 20
	if testing.Short() {
		kills = 4
	}
	// Less than the 40 seconds it may take: a lost answer must not be waited for long.
	ctx, cancel := context.WithTimeout(t.Context(), 38*time.Second)
	defer cancel()

	bed := newKillBed(ctx, t)
	bed.start(ctx, "a")
	b := bed.start(ctx, "b")
	bob := &writer{t: t, rng: rand.New(rand.NewPCG(seed, 0)), tuples: map[string]int{}, acked: time.Now()}
	seen := &watcher{news: make(chan struct{}, 1)}
	paged := make(chan string, 1)
	bob.client = bed.device(ctx, "bob", "b", func(e client.Event) {
		if e.Type == "im" {
			paged <- e.Text // one at a time: alice's next follows when it is taken
		}
	})
	alice := bed.device(ctx, "alice", "a", seen.heard)
	if _, err := alice.Subscribe(ctx, "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	bob.create(ctx)
	if err := bob.register(ctx, true); err != nil {
		t.Fatal(err)
	}
	for n := range kills {
		moment := bob.load(ctx, b)
		t.Logf("kill %d %s: acknowledged %d, open %q", n+1, moment, bob.count, bob.open)
		restarted := time.Now()
		b = bed.start(ctx, "b")
		up := time.Since(restarted)
		bob.recover(ctx)
		seen.await(ctx, t, bob)
		bob.reached(ctx, alice, paged)
		// The subscription lives on: what is new is told too.
		if err := bob.modify(ctx); err != nil {
			t.Fatalf("publication after the restart: %v", err)
		}
		seen.await(ctx, t, bob)
		t.Logf("listening after %s, all there after %s", up.Round(time.Millisecond), time.Since(restarted).Round(time.Millisecond))
	}
}

// writer is bob, and what he knows to be acknowledged.
type writer struct {
	t      *testing.T
	client *client.Client
	rng    *rand.Rand

	etag   string
	tuple  string         // of the publication that goes on
	count  int            // acknowledged in it
	next   int            // counts what was ever sent
	tuples map[string]int // what each publication shows

	bound []bool // what the registration may be
	open  string // what was sent and not answered: "", "modify", "refresh", "register"
	acked time.Time
}

func (w *writer) document(n int) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.com">
<tuple id=%q><status><basic>open</basic></status><contact>sip:n%d@example.com</contact></tuple>
</presence>
`, w.tuple, n)
}

func (w *writer) publish(ctx context.Context, p client.Publication) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.Expires = time.Hour
	etag, _, err := w.client.Publish(ctx, p)
	if err == nil {
		w.etag, w.open, w.acked = etag, "", time.Now()
	}
	return err
}

// create begins a publication with a tuple of its own.
func (w *writer) create(ctx context.Context) {
	w.next++
	w.tuple = fmt.Sprint("p", w.next)
	if err := w.publish(ctx, client.Publication{Body: w.document(w.next)}); err != nil {
		w.t.Fatalf("first publication: %v", err)
	}
	w.count, w.tuples[w.tuple] = w.next, w.next
}

func (w *writer) modify(ctx context.Context) error {
	w.next++
	w.open = "modify"
	err := w.publish(ctx, client.Publication{ETag: w.etag, Body: w.document(w.next)})
	if err == nil {
		w.count, w.tuples[w.tuple] = w.next, w.next
	}
	return err
}

func (w *writer) refresh(ctx context.Context) error {
	w.open = "refresh"
	return w.publish(ctx, client.Publication{ETag: w.etag})
}

func (w *writer) register(ctx context.Context, bind bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := w.bound
	w.open, w.bound = "register", append([]bool{bind}, before...)
	lasts := time.Duration(0)
	if bind {
		lasts = time.Hour
	}
	_, err := w.client.Register(ctx, lasts)
	if err == nil {
		w.open, w.bound = "", []bool{bind}
	}
	return err
}

// load sends one request after the other until the server is gone: killed at
// any time, or right when something has been acknowledged.
func (w *writer) load(ctx context.Context, server *process) (moment string) {
	w.t.Helper()
	acks := 1 + w.rng.IntN(12)
	after := time.Duration(w.rng.IntN(50_000)) * time.Microsecond
	var gone sync.WaitGroup
	defer gone.Wait()
	if atAck := w.rng.IntN(2) == 0; atAck {
		moment = fmt.Sprintf("at acknowledgement %d", acks)
	} else {
		moment, acks = fmt.Sprintf("after %s", after), -1
		gone.Go(func() {
			time.Sleep(after) // the moment is what is tried, nothing waits by it
			server.kill()
		})
	}
	for n := 0; n != acks; n++ {
		var err error
		switch w.rng.IntN(5) {
		case 0:
			err = w.refresh(ctx)
		case 1:
			err = w.register(ctx, w.rng.IntN(3) > 0)
		default:
			err = w.modify(ctx)
		}
		var refused *client.RefusedError
		if errors.As(err, &refused) || err != nil && !errors.Is(err, client.ErrTransport) {
			w.t.Fatalf("%s (%s of the kill): %v", moment, w.open, err)
		}
		if err != nil {
			return moment
		}
	}
	server.kill()
	return moment
}

// recover goes on with the last entity-tag there is. A 412 is right only where
// what was sent last, and never answered, had taken its place.
func (w *writer) recover(ctx context.Context) {
	w.t.Helper()
	open, sent := w.open, w.next
	var err error
	if w.rng.IntN(2) == 0 {
		err = w.refresh(ctx)
	} else {
		err = w.modify(ctx)
	}
	var refused *client.RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status() == 412 && (open == "modify" || open == "refresh"):
		if open == "modify" { // then that is the state now
			w.tuples[w.tuple] = sent
		}
		w.create(ctx)
	default:
		w.t.Fatalf("publication %d was acknowledged %s before, its entity-tag now gets (open: %q): %v", w.count, time.Since(w.acked), open, err)
	}
}

// reached pages bob, who hears it if and only if he is registered.
func (w *writer) reached(ctx context.Context, from *client.Client, paged <-chan string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text := fmt.Sprint("after ", w.count)
	err := from.Page(ctx, "bob", "text/plain", []byte(text))
	there := err == nil
	var refused *client.RefusedError
	if err != nil && (!errors.As(err, &refused) || refused.Status() != 480 && refused.Status() != 404) {
		w.t.Fatalf("message to bob, whose registration may be %v: %v", w.bound, err)
	}
	if there {
		select {
		case got := <-paged:
			if got != text {
				w.t.Fatalf("bob heard %q, want %q", got, text)
			}
		case <-ctx.Done():
			w.t.Fatalf("a message to bob was answered 200, and he did not hear it")
		}
	}
	if !slices.Contains(w.bound, there) {
		w.t.Fatalf("bob is registered: %t, want %v (%v)", there, w.bound, err)
	}
	w.bound = []bool{there}
}

// watcher is what alice sees.
type watcher struct {
	mu    sync.Mutex
	last  client.Event
	heads int
	news  chan struct{}
}

func (s *watcher) heard(e client.Event) {
	if e.Type != "presence" {
		return
	}
	s.mu.Lock()
	s.last, s.heads = e, s.heads+1
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await waits until alice sees what bob knows to be acknowledged.
func (s *watcher) await(ctx context.Context, t *testing.T, w *writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s.mu.Lock()
		last, heads := s.last, s.heads
		s.mu.Unlock()
		wrong := w.differs(last)
		if last.State == "terminated" {
			t.Fatalf("alice's subscription has ended: %s", last.Reason)
		}
		if wrong == "" {
			return
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			t.Fatalf("alice does not see what was acknowledged: %s; her last of %d:\n%s", wrong, heads, last.Body)
		}
	}
}

// differs says in what a document is not the acknowledged state; "": in nothing.
func (w *writer) differs(e client.Event) string {
	shown := map[string]string{}
	for _, tuple := range e.Tuples {
		shown[tuple.ID] = tuple.Contact
	}
	for id, n := range w.tuples {
		if want := fmt.Sprintf("sip:n%d@example.com", n); shown[id] != want {
			return fmt.Sprintf("tuple %s shows %q, want %s", id, shown[id], want)
		}
	}
	return ""
}

// killBed is a domain on two servers, made with the built binary.
type killBed struct {
	t      *testing.T
	binary string
	dir    string
	listen map[string][]string // of a server that was started before
}

func newKillBed(ctx context.Context, t *testing.T) *killBed {
	t.Helper()
	b := &killBed{t: t, dir: t.TempDir(), listen: map[string][]string{}}
	b.binary = filepath.Join(b.dir, "presfed")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	b.presfed(ctx, "certs", "init")
	b.presfed(ctx, "directory", "init", "example.com", "--default", "allow")
	for user, x := range map[string]string{"alice": "a", "bob": "b"} {
		password := filepath.Join(b.dir, user+".password")
		if err := os.WriteFile(password, []byte(user+"'s secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.presfed(ctx, "certs", "issue", "server-"+x, "server"+x+".example.com")
		b.presfed(ctx, "directory", "server", "add", "server-"+x, "sip:server"+x+".example.com")
		b.presfed(ctx, "directory", "user", "add", user, "--password-file", password)
		b.presfed(ctx, "directory", "assign", user, "server-"+x)
	}
	return b
}

func (b *killBed) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Env = append(os.Environ(), "PRESFED_DIRECTORY="+filepath.Join(b.dir, "directory.db"), "PRESFED_CERTS="+filepath.Join(b.dir, "certs"))
	return cmd
}

func (b *killBed) presfed(ctx context.Context, args ...string) {
	b.t.Helper()
	if out, err := b.command(ctx, args...).CombinedOutput(); err != nil {
		b.t.Fatalf("presfed %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	gone func()
}

// kill ends it with signal 9, and returns when it is no more.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.gone()
}

// start runs a server where it was before, and returns when it is ready.
func (b *killBed) start(ctx context.Context, x string) *process {
	b.t.Helper()
	name := "server-" + x
	args := []string{name}
	at := b.listen[x]
	if at == nil {
		at = []string{"tcp:127.0.0.1:0", "tls:127.0.0.1:0"}
	}
	for _, l := range at {
		args = append(args, "--listen", l)
	}
	cmd := b.command(ctx, args...)
	var said bytes.Buffer // read when the process is gone
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	p := &process{cmd: cmd, gone: sync.OnceFunc(func() { _ = cmd.Wait() })}
	b.t.Cleanup(func() {
		p.kill()
		if b.t.Failed() && said.Len() > 0 {
			b.t.Logf("%s %d said:\n%s", name, cmd.Process.Pid, said.String())
		}
	})
	hurry := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	hurry.Stop()
	fields := strings.Fields(line)
	if err != nil || len(fields) != 4 || fields[0] != "ready" {
		p.kill()
		b.t.Fatalf("%s on %v: said %q (%v)\n%s", name, at, line, err, said.String())
	}
	if b.listen[x] == nil {
		b.listen[x] = fields[2:]
		b.presfed(ctx, "directory", "server", "set", name, "--uri", "sip:"+strings.TrimPrefix(fields[3], "tls:")+";transport=tls")
	}
	return p
}

// device is a user's, up until the test ends.
func (b *killBed) device(ctx context.Context, user, server string, on func(client.Event)) *client.Client {
	b.t.Helper()
	c, err := client.New(client.Config{
		Name: user, User: user + "@example.com", Password: user + "'s secret", Server: b.listen[server][0], OnEvent: on,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.t.Errorf("%s: %v", user, err)
		}
	})
	return c
}
