package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/calendar"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// TestFeederIsSteered: by its control socket, spoken to by hand, it reads what a
// test has put into its folder, publishes it, and shows the wire records of that.
func TestFeederIsSteered(t *testing.T) {
	at := newLoneServer(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "calendar.sock")
	folder := filepath.Join(dir, "calendars")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	input, life := io.Pipe()
	output, written := io.Pipe()
	code := make(chan int, 1)
	go func() {
		con := newConsole(input, written, io.Discard, func(string) (string, bool) { return "", false })
		code <- execute(t.Context(), []string{
			"calendar", folder, "--user", "alice", "--server", at, "--activity", "busy", "--control", socket, "--end-with-input", "--json",
		}, con)
		written.Close()
	}()
	events := bufio.NewScanner(output)
	for events.Scan() && !strings.Contains(events.Text(), `"type":"ready"`) {
	}
	go io.Copy(io.Discard, output) // ends with the feeder
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	answers := bufio.NewScanner(conn)
	answers.Buffer(nil, 1<<20)
	ask := func(request, want string) {
		t.Helper()
		if _, err := io.WriteString(conn, request+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), want) {
			t.Fatalf("%s: %s, want %s", request, answers.Text(), want)
		}
	}
	ask(`{"op":"ready"}`, `"participant":"calendar"`)
	now := time.Now()
	meeting := calendar.Meeting("m", "Budget", now.Add(-time.Minute), now.Add(time.Hour))
	if err := os.WriteFile(filepath.Join(folder, "meeting.ics"), meeting, 0o600); err != nil {
		t.Fatal(err)
	}
	ask(`{"op":"command","line":"refresh"}`, `"ok":true`)
	ask(`{"op":"command","line":"dance"}`, `unknown command`)
	if _, err := io.WriteString(conn, `{"op":"records","after":0}`+"\n"); err != nil {
		t.Fatal(err)
	}
	var published bool
	for answers.Scan() && !strings.Contains(answers.Text(), `"type":"end"`) {
		var r struct{ Participant, Direction, Raw string }
		if err := json.Unmarshal(answers.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		raw, _ := base64.StdEncoding.DecodeString(r.Raw)
		if r.Participant == "calendar" && r.Direction == "out" && strings.HasPrefix(string(raw), "PUBLISH ") && strings.Contains(string(raw), "I am in a Meeting") {
			published = true
			break
		}
	}
	if !published {
		t.Error("no PUBLISH of the meeting is among the records")
	}
	life.Close()
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
}

// newLoneServer is a running server-a with alice on it, who needs no password.
func newLoneServer(t *testing.T) (at string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "directory")
	d, err := db.Open(t.Context(), path, db.Options{Create: true, Domain: db.Domain{Name: "example.com"}})
	must(err)
	must(d.AddServer(t.Context(), db.Server{Name: "server-a", URI: "sip:servera.example.com;transport=tls"}))
	must(d.AddUser(t.Context(), db.User{AOR: "alice@example.com"}))
	must(d.Assign(t.Context(), "alice@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}))
	must(d.Close())
	s, err := server.New(t.Context(), server.Config{
		Name: "server-a", Directory: path, State: filepath.Join(dir, "state"), NoAuth: true,
		Listen: []server.Listen{{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
	})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; s.Close() })
	return "tcp:" + s.Addr("TCP").String()
}
