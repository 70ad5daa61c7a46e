package server_test

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
)

// harmful are user parts that somebody may hope to be taken for something else than a
// name, as they stand in the message.
var harmful = []string{
	"'%20OR%20'1'='1", "alice';%20DROP%20TABLE%20user;--", "alice'--", "%27%22%60", "alice%22", "alice%00", "%00", "%00alice", "alice%0d%0aVia:%20x", "%0A", "%1B%5B31m%07", "%C2%9B31m", "%E2%80%AEecila",
	"%61lice%2500", "%2561lice", "alice%40example.com", "alice%40evil.example", "..%2f..%2fetc%2fpasswd", "%25s%25n%25x", "$%7Bjndi:ldap:%2f%2fx%7D", "alice;user=phone", "%FF%FE", "%ED%A0%80", "%",
	"ALICE", "alice.", strings.Repeat("a", 256), strings.Repeat("%41", 300), strings.Repeat("a", 4000), "nobody",
	"alice\u00e9", "\u0430lice", "alice\u202e", "al\u200bice", "alice\"", "alice <x>", "alice\\", "al\tice", "al ice", "'", "alice\x00", "alice\x1b[31m",
}

// TestNamesMadeToHarm: are nobody's, whoever is asked for and whoever asks; answered
// 4xx or 513, at once, and the server and its users are as before.
func TestNamesMadeToHarm(t *testing.T) {
	log := make(lines, 100_000)
	for _, believes := range []bool{false, true} {
		b := federatedWith(t, func(c *server.Config) {
			c.NoAuth = believes
			c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		tcp, err := net.Dial("tcp", b.servers["a"].Addr("TCP").String())
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		udp, err := net.Dial("udp", b.servers["a"].Addr("UDP").String())
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		n := 0
		ask := func(conn net.Conn, transport, method, uri, to, from, more string) {
			t.Helper()
			n++
			fmt.Fprintf(conn, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1;rport;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: %d\r\nCSeq: 1 %s\r\n"+
				"Contact: <sip:x@127.0.0.1>\r\nEvent: presence\r\n%sContent-Length: 0\r\n\r\n", method, uri, transport, n, from, to, n, method, more)
			buf, got := make([]byte, 65535), ""
			for got == "" || strings.HasPrefix(got, "SIP/2.0 1") || !strings.Contains(got, "\r\n\r\n") || !strings.Contains(got, fmt.Sprint("Call-ID: ", n, "\r\n")) {
				conn.SetReadDeadline(time.Now().Add(20 * time.Second))
				k, err := conn.Read(buf)
				if err != nil {
					t.Fatalf("%s %.100q: %v after %q", method, uri, err, got)
				}
				if strings.HasPrefix(got, "SIP/2.0 1") {
					got = ""
				}
				if got += string(buf[:k]); strings.HasPrefix(got, "SIP/2.0 1") && strings.Count(got, "\r\n\r\n") > 1 {
					_, got, _ = strings.Cut(got, "\r\n\r\n")
				}
			}
			if !strings.HasPrefix(got, "SIP/2.0 4") && !strings.HasPrefix(got, "SIP/2.0 513 ") {
				t.Errorf("%s %.100q to %.100q from %.100q: %q", method, uri, to, from, got)
			}
			if strings.Contains(got, "\x1b") || strings.Contains(got, "\x00") {
				t.Errorf("%s %.100q: %q", method, uri, got)
			}
		}
		for i, name := range harmful {
			uri := "sip:" + name + "@example.com"
			conn, transport := tcp, "TCP"
			if i%2 == 1 && len(name) < 1000 {
				conn, transport = udp, "UDP"
			}
			for _, method := range []string{"SUBSCRIBE", "PUBLISH", "MESSAGE", "INVITE", "OPTIONS", "FOO"} {
				ask(conn, transport, method, uri, uri, "sip:alice@example.com", "")
			}
			for _, method := range []string{"SUBSCRIBE", "MESSAGE"} {
				ask(conn, transport, method, "sip:nobody@example.com", "sip:nobody@example.com", uri, "")
			}
			ask(conn, transport, "REGISTER", "sip:example.com", uri, "sip:alice@example.com", "")
			if !believes && !strings.ContainsAny(name, "\x00\x1b\t ") {
				quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
				for _, user := range []string{quoted, message.Unescape(name)} {
					if strings.ContainsFunc(user, func(r rune) bool { return r < ' ' }) {
						continue
					}
					ask(conn, transport, "REGISTER", "sip:example.com", "sip:alice@example.com", "sip:alice@example.com", fmt.Sprintf("Authorization: Digest username=\"%s\", realm=\"example.com\", nonce=\"x\", "+
						"uri=\"sip:example.com\", response=\"%032d\", qop=auth, nc=00000001, cnonce=\"x\", algorithm=SHA-256\r\n", user, 0))
				}
			}
		}
		big := "sip:" + strings.Repeat("a", 60<<10) + "@example.com"
		ask(udp, "UDP", "MESSAGE", big, "sip:bob@example.com", "sip:alice@example.com", "")
		ask(tcp, "TCP", "MESSAGE", "sip:"+strings.Repeat("a", 15<<10)+"@example.com", "sip:bob@example.com", "sip:alice@example.com", "")
		ask(tcp, "TCP", "MESSAGE", "sip:bob@example.com", "sip:"+strings.Repeat("'", 60<<10)+"@example.com", "sip:alice@example.com", "")
		alice := b.phone("alice", "a", "TCP")
		if believes {
			alice.register()
		} else {
			alice.signs("REGISTER", "alice", 200)
		}
		users, err := b.directory.Users(t.Context())
		if err != nil || len(users) != 2 {
			t.Errorf("the directory's users: %v, %v", users, err)
		}
		for len(log) > 0 {
			line := <-log
			if what := strings.TrimSuffix(line, "\n"); strings.ContainsFunc(what, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e }) {
				t.Errorf("the log says %q", what)
			} else if len(what) > 2000 {
				t.Errorf("a line of %d bytes in the log: %.300q", len(what), what)
			} else if strings.Contains(what, "level=ERROR") {
				t.Errorf("the log says %s", what)
			}
		}
	}
}

// TestANameIsWhatItIs: a user whose own name looks like an escape of another's has proved
// to be herself.
func TestANameIsWhatItIs(t *testing.T) {
	b := ruled(t)
	if err := b.directory.AddUser(t.Context(), db.User{AOR: "%61lice@example.com", HA1: db.HA1s("%61lice@example.com", "example.com", "%61lice's secret")}); err != nil {
		t.Fatal(err)
	}
	phone := b.phone("alice", "a", "TCP")
	for _, method := range []string{"REGISTER", "PUBLISH", "SUBSCRIBE", "MESSAGE"} {
		req := func() *message.Request { return phone.request(method, "alice", "Event", "presence") }
		asked := next(t, phone.ask(req()))
		final(t, phone.ask(signs(t, req(), answer{user: "%61lice", asked: asked})), 403)
	}
	if status, _, _ := b.rules("GET", "a", "alice", "%61lice", ""); status != 403 {
		t.Errorf("alice's rules: %d", status)
	}
}
