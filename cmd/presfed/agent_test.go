package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// driven is an agent that a test drives as a script would.
type driven struct {
	t      *testing.T
	in     *io.PipeWriter
	events chan client.Event
	code   chan int
}

func drive(t *testing.T, args ...string) *driven {
	t.Helper()
	in, tell := io.Pipe()
	hear, out := io.Pipe()
	d := &driven{t: t, in: tell, events: make(chan client.Event, 256), code: make(chan int, 1)}
	con := newConsole(in, out, os.Stderr, func(string) (string, bool) { return "", false })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.code <- execute(ctx, append([]string{"agent", "--json"}, args...), con)
		out.Close()
	}()
	go func() {
		defer close(d.events)
		for lines := bufio.NewScanner(hear); lines.Scan(); {
			var e client.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("%s: %v", lines.Text(), err)
			}
			d.events <- e
		}
	}()
	t.Cleanup(func() { cancel(); tell.Close(); <-done })
	return d
}

func (d *driven) tell(lines ...string) {
	for _, line := range lines {
		if _, err := io.WriteString(d.in, line+"\n"); err != nil {
			d.t.Fatal(err)
		}
	}
}

// until passes over events up to one of that type.
func (d *driven) until(typ string) client.Event {
	d.t.Helper()
	for {
		select {
		case e, ok := <-d.events:
			switch {
			case !ok:
				d.t.Fatalf("the agent has ended before %s", typ)
			case e.Type == typ:
				return e
			case e.Type == "failed" || e.Type == "error":
				d.t.Fatalf("waiting for %s: %+v", typ, e)
			}
		case <-time.After(20 * time.Second):
			d.t.Fatalf("no %s", typ)
		}
	}
}

func (d *driven) quit() {
	d.t.Helper()
	d.tell("quit")
	for range d.events {
	}
	if code := <-d.code; code != 0 {
		d.t.Errorf("exit code %d", code)
	}
}

// TestAgentsTalk: two agents without any server, each told where the other is.
func TestAgentsTalk(t *testing.T) {
	files := t.TempDir()
	bob := drive(t, "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--accept-types", "*", "--accept-files", files, "--max-file", "10kB")
	at := bob.until("ready").Addresses[1]
	alice := drive(t, "alice-pc", "--no-register", "--server", at)
	alice.until("ready")
	alice.tell("im bob Are you there, Bob?")
	for bob.until("session").State != "ringing" {
	}
	bob.tell("reply Yes, here.")
	if e := bob.until("im"); e.Text != "Are you there, Bob?" || e.From != "sip:alice@example.com" {
		t.Errorf("%+v", e)
	}
	if e := alice.until("im"); e.Text != "Yes, here." {
		t.Errorf("%+v", e)
	}
	file := filepath.Join(t.TempDir(), "notes.bin")
	if err := os.WriteFile(file, make([]byte, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.tell("send-file bob " + file)
	bob.tell("wait file from=alice state=complete 20s")
	if e := bob.until("file"); e.State != "complete" || e.Size != 10_000 || e.Name != "notes.bin" || e.File != filepath.Join(files, "notes.bin") {
		t.Errorf("%+v", e)
	}
	alice.until("sent")
	if err := os.WriteFile(file, make([]byte, 10_001), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.tell("send-file bob " + file)
	if e := bob.until("file"); e.State != "refused" || e.Reason != "a file of 10001 bytes, and 10000 are taken here" {
		t.Errorf("%+v", e)
	}
	if e := alice.until("failed"); e.Code != 488 {
		t.Errorf("%+v", e)
	}
	alice.tell("page bob outside")
	if e := bob.until("im"); e.Via != "page" || e.Text != "outside" {
		t.Errorf("%+v", e)
	}
	alice.tell("bye bob", "wait closed peer=bob 5s")
	bob.until("closed")
	alice.quit()
	bob.quit()
}

// TestAgentsTalkEarly: the message is shown before bob has answered, and alice
// can go on with other things, or give it up.
func TestAgentsTalkEarly(t *testing.T) {
	bob := drive(t, "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--answer", "early")
	alice := drive(t, "alice-pc", "--no-register", "--server", bob.until("ready").Addresses[1])
	alice.until("ready")
	alice.tell("im bob R u there", "wait sent peer=bob state=early 10s", "list")
	if e := bob.until("im"); e.Text != "R u there" || e.State != "early" || e.Via != "session" {
		t.Errorf("%+v", e)
	}
	if e := alice.until("list"); e.Type != "list" {
		t.Errorf("%+v", e)
	}
	bob.tell("reply Yes, here.")
	if e := alice.until("im"); e.Text != "Yes, here." || e.State != "established" {
		t.Errorf("%+v", e)
	}
	bob.until("sent")
	alice.tell("bye bob")
	bob.until("closed")
	alice.until("closed")
	alice.tell("im bob Still there?")
	if e := bob.until("im"); e.State != "early" {
		t.Errorf("%+v", e)
	}
	alice.tell("bye bob")
	if e := bob.until("closed"); !strings.Contains(e.Reason, "cancelled") {
		t.Errorf("%+v", e)
	}
	alice.until("closed")
	alice.quit()
	bob.quit()
}

// oneServer serves alice and bob, believing everybody, until the test ends.
func oneServer(t *testing.T) (s *server.Server, at, directory string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "directory")
	d, err := db.Open(t.Context(), path, db.Options{Create: true, Domain: db.Domain{Name: "example.com", Default: db.Allow}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.AddServer(t.Context(), db.Server{Name: "server-a", URI: "sip:servera.example.com;transport=tls"}))
	for _, user := range []string{"alice@example.com", "bob@example.com"} {
		must(d.AddUser(t.Context(), db.User{AOR: user}))
		must(d.Assign(t.Context(), user, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}))
	}
	s, err = server.New(t.Context(), server.Config{
		Name: "server-a", Directory: path, State: filepath.Join(dir, "state"), NoAuth: true, WatchersEvery: 10 * time.Millisecond,
		XCAP:   server.Listen{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")},
		Listen: []server.Listen{{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
	})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; s.Close() })
	return s, "tcp:" + s.Addr("TCP").String(), path
}

// TestAgentsMeet: two users of one server.
func TestAgentsMeet(t *testing.T) {
	s, at, path := oneServer(t)
	files := t.TempDir()
	bob := drive(t, "bob-pc", "--server", at, "--answer", "auto", "--directory", path, "--accept-files", files)
	bob.until("registered")
	bob.until("ready")
	bob.tell("allow alice", "status away at lunch", "wait published 5s", "list")
	bob.until("list")
	alice := drive(t, "alice-pc", "--server", at)
	alice.until("ready")
	alice.tell("watch bob", `wait presence entity=bob person=away note="at lunch" basic=open 10s`, "list")
	alice.until("list") // so the wait has found it
	bob.tell("status dnd")
	alice.tell("wait presence basic=closed 10s", "unwatch bob", "wait presence state=terminated 10s")
	for !strings.Contains(alice.until("presence").State, "terminated") {
	}
	file := filepath.Join(t.TempDir(), "menu.txt")
	if err := os.WriteFile(file, []byte("soup"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.tell("send-file bob "+file, "im bob Look at it")
	if e := bob.until("file"); e.State != "complete" || e.Size != 4 || e.From != "sip:alice@example.com" {
		t.Errorf("%+v", e)
	}
	if e := bob.until("im"); e.Text != "Look at it" {
		t.Errorf("%+v", e)
	}
	alice.quit()
	bob.quit()
	if n := len(s.Bindings("bob@example.com")); n != 0 {
		t.Errorf("%d bindings are left", n)
	}
}

// TestAgentsDecide: she hears who asks and decides at her server; he hears of that.
func TestAgentsDecide(t *testing.T) {
	s, at, path := oneServer(t)
	bob := drive(t, "bob-pc", "--server", at, "--xcap", s.XCAPRoot())
	bob.until("ready")
	bob.tell("confirm default", "status open here", "wait published 10s", "watchers")
	bob.until("watcher-list")
	alice := drive(t, "alice-pc", "--server", at)
	alice.until("ready")
	alice.tell("watch bob", "wait presence state=pending 10s")
	bob.tell("wait watcher entity=alice state=pending reason=subscribe 10s", "polite-block alice", "wait watcher entity=alice state=active reason=approved 10s")
	alice.tell("wait presence state=active basic=closed 10s", "list")
	alice.until("list") // so the wait has found it
	bob.tell("allow alice")
	alice.tell("wait presence basic=open note=here 10s", "list")
	alice.until("list")
	bob.tell("block alice", "wait watcher entity=alice state=terminated reason=rejected 10s")
	alice.tell("wait presence state=terminated reason=rejected 10s")
	alice.quit()
	bob.quit()
	d, err := db.Open(t.Context(), path, db.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rules, err := d.Policy(t.Context(), "bob@example.com")
	if err != nil || len(rules) != 2 || rules[0].Handling != db.Block || rules[1].Handling != db.Confirm || rules[1].Match != db.MatchDefault {
		t.Errorf("%v, %v", rules, err)
	}
}

func TestWaitMatches(t *testing.T) {
	e := client.Event{
		Type: "presence", Entity: "sip:bob@example.com", State: "active", Code: 7,
		Person: &client.Person{Activities: []string{"away"}, Note: "back at 2"},
		Tuples: []client.Tuple{{ID: "a", Basic: "open"}, {ID: "b", Basic: "closed"}},
	}
	for line, want := range map[string]bool{
		"presence":                               true,
		"im":                                     false,
		"presence entity=bob":                    true,
		"presence entity=bob@example.com":        true,
		"presence entity=sip:bob@example.com 2s": true,
		"presence entity=bobby":                  false,
		"presence state=active code=7":           true,
		"presence state=active code=8":           false,
		"presence person=away":                   true,
		"presence person=busy":                   false,
		`presence note="back at 2"`:              true,
		"presence basic=open":                    true,
		"presence basic=closed":                  false, // not all of them
		"presence etag=x":                        false,
	} {
		w, err := parseWait(line)
		if err != nil || w.matches(e) != want {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
	}
	for _, line := range []string{"", "presence 2s basic=open", "presence soon", `presence note="x`} {
		if _, err := parseWait(line); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// TestAgentIsSteered: by its control socket, spoken to by hand.
func TestAgentIsSteered(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bob.sock")
	bob := drive(t, "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--answer", "auto", "--control", socket)
	at := bob.until("ready").Addresses[1]
	alice := drive(t, "alice-pc", "--no-register", "--server", at)
	alice.until("ready")
	alice.tell("im bob Hello")
	bob.until("im")
	alice.until("sent")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewScanner(conn)
	ask := func(request, want string) {
		t.Helper()
		if _, err := io.WriteString(conn, request+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), want) {
			t.Errorf("%s: %s, want %s", request, answers.Text(), want)
		}
	}
	ask(`{"op":"ready"}`, `"participant":"bob-pc"`)
	ask(`{"op":"command","line":"reply Hello yourself"}`, `"ok":true`)
	if e := alice.until("im"); e.Text != "Hello yourself" {
		t.Errorf("%+v", e)
	}
	ask(`{"op":"command","line":"dance"}`, `unknown command`)
	ask(`{"op":"command","line":"bye alice"}`, `"ok":true`)
	if _, err := io.WriteString(conn, `{"op":"records","after":0,"follow":true}`+"\n"); err != nil {
		t.Fatal(err)
	}
	protocols := map[string]int{}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	stopped := false
	for answers.Scan() && !strings.Contains(answers.Text(), `"type":"end"`) {
		var r struct{ Participant, Protocol string }
		if err := json.Unmarshal(answers.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		protocols[r.Protocol]++
		// What went over different connections comes in any order, the ACK last
		// perhaps. Stopped by a connection of its own, for this one is read from.
		if protocols["sip"]+protocols["msrp"] >= 9 && !stopped {
			stopped = true
			if other, err := net.Dial("unix", socket); err == nil {
				defer other.Close()
				io.WriteString(other, `{"op":"stop"}`+"\n")
			}
		}
	}
	// INVITE, 200, ACK, BYE, 200; two SENDs and their 200s.
	if protocols["sip"] != 5 || protocols["msrp"] != 4 {
		t.Errorf("records: %v", protocols)
	}
	for range bob.events {
	}
	if code := <-bob.code; code != 0 {
		t.Errorf("stopped with exit code %d", code)
	}
	alice.quit()
}
