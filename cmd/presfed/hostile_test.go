package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// evil is what a terminal would obey: C1 controls (CSI, NEL, OSC), overrides of the
// direction of writing, separators of lines. SIP's own grammar keeps C0 out of fields.
const evil = "evil\u009b31m\u0085\u009d0;title\u009c\u202e\u2066\u200f\u061c\u2028"

// obeyed finds what does something on a terminal, whatever plain.Acts takes for that.
func obeyed(s string) string {
	if !utf8.ValidString(s) {
		return "what is no UTF-8"
	}
	for _, r := range s {
		switch {
		case r == '\n', r == '\t':
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			slices.Contains([]rune{0x200e, 0x200f, 0x061c, 0x2028, 0x2029}, r):
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// hostile is a SIP server on TCP whose every answer is made to move a terminal.
func hostile(t *testing.T) (at string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveHostile(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "tcp:" + ln.Addr().String()
}

func serveHostile(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	for {
		fields, method := map[string]string{}, ""
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimSpace(line); line == "" {
				break
			}
			if name, value, ok := strings.Cut(line, ": "); ok && method != "" {
				fields[name] = value
			} else {
				method, _, _ = strings.Cut(line, " ")
			}
		}
		if n := 0; fields["Content-Length"] != "" {
			fmt.Sscan(fields["Content-Length"], &n)
			io.CopyN(io.Discard, in, int64(n))
		}
		if method == "" || strings.HasPrefix(method, "SIP/") {
			continue
		}
		status := map[string]string{"OPTIONS": "200", "SUBSCRIBE": "200", "REGISTER": "403", "PUBLISH": "423", "MESSAGE": "403", "INVITE": "486"}[method]
		if status == "" {
			continue
		}
		same := "Via: " + fields["Via"] + "\r\nFrom: " + fields["From"] + "\r\nTo: " + fields["To"] + ";tag=x\r\nCall-ID: " + fields["Call-ID"] + "\r\nCSeq: " + fields["CSeq"] + "\r\n"
		fmt.Fprintf(conn, "SIP/2.0 %s %s\r\n%sContact: <sip:x@127.0.0.1>\r\nExpires: 60\r\nServer: %s\r\nAllow: OPTIONS, %s\r\nMin-Expires: 9%s\r\nWarning: 399 %s \"%s\"\r\nContent-Length: 0\r\n\r\n",
			status, evil, same, evil, evil, evil, "x", evil)
		if method == "SUBSCRIBE" {
			contact := strings.Trim(strings.TrimPrefix(fields["Contact"], "<"), "> ")
			contact, _, _ = strings.Cut(contact, ">")
			body := "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'><tuple id='t1'><status><basic>open</basic></status><note>" + evil + "&#x9b;31m</note></tuple></presence>"
			fmt.Fprintf(conn, "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: %s;tag=x\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 NOTIFY\r\n"+
				"Contact: <sip:x@127.0.0.1>\r\nEvent: presence\r\nSubscription-State: terminated;reason=\"%s\"\r\nContent-Type: application/pidf+xml\r\nContent-Length: %d\r\n\r\n%s",
				contact, fields["To"], fields["From"], fields["Call-ID"], evil, len(body), body)
		}
	}
}

// TestNothingOnTheWireMovesATerminal: what commands print of what a peer says.
func TestNothingOnTheWireMovesATerminal(t *testing.T) {
	at := hostile(t)
	document := filepath.Join(t.TempDir(), "document.xml")
	if err := os.WriteFile(document, []byte("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:alice@example.com'/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"options", "bob"}, {"register"}, {"publish", document}, {"subscribe", "bob", "--count", "1"}, {"send-im", "bob", "hello", "--page"}, {"send-im", "bob", "hello"},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			var out, talk bytes.Buffer
			con := newConsole(strings.NewReader(""), &out, &talk, func(string) (string, bool) { return "", false })
			args := slices.Concat(args, []string{"--user", "alice@example.com", "--server", at, "--timeout", "10s"}, form)
			code := execute(t.Context(), args, con)
			if code == exitUsage || code == exitTimeout {
				t.Errorf("%q: exit code %d, %s", args, code, talk.String())
			}
			for _, printed := range []string{out.String(), talk.String()} {
				if what := obeyed(printed); what != "" {
					t.Errorf("%q prints %s: %q", args, what, printed)
				}
			}
			if !strings.Contains(out.String()+talk.String(), "evil") {
				t.Errorf("%q: nothing of it is shown: %q %q", args, out.String(), talk.String())
			}
		}
	}
}

// shared is a buffer that one writes and another reads.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(b) }
func (s *shared) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// TestAnAgentIsNotMoved: a message from anybody, with a body that has C0 as well.
func TestAnAgentIsNotMoved(t *testing.T) {
	for _, form := range [][]string{nil, {"--json"}} {
		in, commands := io.Pipe()
		var out, talk shared
		con := newConsole(in, &out, &talk, func(string) (string, bool) { return "", false })
		done := make(chan int, 1)
		go func() {
			done <- execute(context.Background(), slices.Concat([]string{"agent", "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--log-level", "debug"}, form), con)
		}()
		until := func(what string) string {
			t.Helper()
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				if s := out.String(); strings.Contains(s, what) {
					return s
				}
				if time.Now().After(end) {
					t.Fatalf("never printed %q, but %q %q", what, out.String(), talk.String())
				}
			}
		}
		_, rest, _ := strings.Cut(until("msrp:"), "udp:")
		addr, _, _ := strings.Cut(rest, ",")
		conn, err := net.Dial("udp", strings.Trim(addr, `"`))
		if err != nil {
			t.Fatal(err)
		}
		body := "\x1b[2J\x07\r\rgone" + evil
		fmt.Fprintf(conn, "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: \"%s\" <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n"+
			"Call-ID: %s\r\nCSeq: 1 MESSAGE\r\nSubject: %s\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s", evil, evil, evil, len(body), body)
		until("gone")
		conn.Close()
		fmt.Fprintln(commands, "quit")
		if code := <-done; code != exitDone {
			t.Errorf("exit code %d", code)
		}
		commands.Close()
		for _, printed := range []string{out.String(), talk.String()} {
			if what := obeyed(printed); what != "" {
				t.Errorf("%q prints %s: %q", form, what, printed)
			}
		}
	}
}

// TestATraceIsNotMoved: ladder, messages and lines of what somebody sent.
func TestATraceIsNotMoved(t *testing.T) {
	var file bytes.Buffer
	for i, raw := range []string{
		"E\x1bVIL" + evil + " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nFrom: <sip:a@b>;tag=" + evil + "\r\nCall-ID: \x07" + evil + "\r\nCSeq: 1 X" + evil + "\r\n\r\n\x1b]0;x\x07\x9b31m",
		"SIP/2.0 200 \x1b[31m" + evil + "\r\nVia: SIP/2.0/UDP x\r\nCSeq: 1 \x1b[31mINVITE\r\n\r\n", "MSRP x SE\x1bND" + evil + "\r\nMessage-ID: \x1b\r\n\r\n",
	} {
		record := map[string]any{"seq": i + 1, "participant": "bob-pc", "direction": "in", "time": time.Now(), "protocol": map[bool]string{true: "msrp", false: "sip"}[strings.HasPrefix(raw, "MSRP")],
			"transport": "UDP", "src": netip.MustParseAddrPort("127.0.0.1:5060"), "dst": netip.MustParseAddrPort("127.0.0.2:5060"), "raw": []byte(raw)}
		if err := json.NewEncoder(&file).Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]string{nil, {"--raw"}, {"--json"}, {"--times"}} {
		var out, talk bytes.Buffer
		code := execute(t.Context(), slices.Concat([]string{"trace", path}, form), newConsole(strings.NewReader(""), &out, &talk, func(string) (string, bool) { return "", false }))
		if what := obeyed(out.String() + talk.String()); code != exitDone || what != "" || !strings.Contains(out.String(), "evil") {
			t.Errorf("%q: %d, prints %s: %q %q", form, code, what, out.String(), talk.String())
		}
	}
}

// TestALogIsNotMoved: not even one in colour, which lets through colours.
func TestALogIsNotMoved(t *testing.T) {
	for _, json := range []bool{false, true} {
		var talk bytes.Buffer
		con := newConsole(strings.NewReader(""), io.Discard, &talk, func(string) (string, bool) { return "", false })
		con.json = json
		log, err := newLogger(con, "info")
		if err != nil {
			t.Fatal(err)
		}
		bad := "\x1b[31m\x07\r" + evil
		log.Info("refused", "why", bad, "error", errors.New(bad), "list", []string{bad}, slog.Group("g", "x", bad))
		log.With("peer", bad).Warn("again", "at", netip.MustParseAddrPort("127.0.0.1:1"))
		if what := obeyed(talk.String()); what != "" || !strings.Contains(talk.String(), "evil") {
			t.Errorf("json %t: prints %s: %q", json, what, talk.String())
		}
	}
	if got := plainAttr(nil, slog.Any("error", errors.New("\x1b[31mred"))); got.Value.String() != "?[31mred" {
		t.Errorf("%q", got.Value)
	}
}
