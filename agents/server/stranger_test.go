package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
)

// post is a UDP socket whose packets are kept, by Call-ID.
type post struct {
	*net.UDPConn
	got chan []byte
}

func newPost(t *testing.T, ip string) *post {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		t.Fatal(err)
	}
	p := &post{conn, make(chan []byte, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 65535); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			p.got <- bytes.Clone(buf[:n])
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return p
}

func (p *post) String() string { return p.LocalAddr().String() }

// callIDs counts what came, after waiting for what belongs to last; "": for nothing.
func callIDs(t *testing.T, p *post, last string) map[string]int {
	t.Helper()
	n := map[string]int{}
	for last != "" && n[last] == 0 || len(p.got) > 0 {
		raw := next(t, p.got)
		_, rest, _ := bytes.Cut(raw, []byte("Call-ID: "))
		id, _, _ := bytes.Cut(rest, []byte("\r\n"))
		n[string(id)]++
	}
	return n
}

// TestAStrangerIsAnsweredOnce: nobody who has not proved who it is, and may have
// forged where its datagram comes from, has us send more than one packet for one of
// its own, nor any to somebody else, whatever address its fields name.
func TestAStrangerIsAnsweredOnce(t *testing.T) {
	b := federated(t)
	at := b.servers["a"].Addr("UDP")
	stranger, sameHost, third := newPost(t, "127.0.0.1"), newPost(t, "127.0.0.1"), newPost(t, "127.0.0.2")
	tcp, err := net.Listen("tcp4", third.String())
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	methods := []string{"SUBSCRIBE", "REGISTER", "PUBLISH", "MESSAGE", "INVITE", "OPTIONS", "NOTIFY", "BYE", "CANCEL", "ACK", "INFO", "REFER", "UPDATE", "FOO"}
	sent, answers := map[string]string{}, map[string]int{}
	samePort := sameHost.LocalAddr().(*net.UDPAddr).Port
	for i, method := range methods {
		for j, tricky := range []struct{ via, uri, to, fields string }{
			{via: "127.0.0.1;rport"},
			{via: stranger.String()},
			{via: third.String()},
			{via: third.String() + ";rport"},
			{via: "127.0.0.1;received=127.0.0.2;rport=" + fmt.Sprint(third.LocalAddr().(*net.UDPAddr).Port)},
			{via: "127.0.0.1;received=127.0.0.2"},
			{via: stranger.String() + ";maddr=127.0.0.2;ttl=1"},
			{via: fmt.Sprintf("127.0.0.1:%d;maddr=127.0.0.2", samePort)},
			{via: "third.example.com;rport", fields: "Via: SIP/2.0/UDP " + third.String() + ";branch=z9hG4bKsecond\r\n"},
			{via: "127.0.0.1;rport", fields: "Via: SIP/2.0/TCP " + third.String() + ";branch=z9hG4bKsecond;received=127.0.0.2\r\n"},
			{via: "127.0.0.1;rport", fields: "Route: <sip:" + third.String() + ";lr>\r\n"},
			{via: "127.0.0.1;rport", fields: "Route: <sip:" + at.String() + ";lr>, <sip:" + third.String() + ";lr>\r\n"},
			{via: "127.0.0.1;rport", to: ";tag=x", fields: "Route: <sip:" + at.String() + ";lr>, <sip:" + third.String() + ";lr>\r\n"},
			{via: "127.0.0.1;rport", to: ";tag=x", uri: "sip:x@" + third.String()},
			{via: "127.0.0.1;rport", uri: "sip:x@" + third.String()},
			{via: "127.0.0.1;rport", uri: "sip:x@" + third.String() + ";transport=tcp"},
			{via: "127.0.0.1;rport", uri: "sip:bob@example.com;maddr=127.0.0.2"},
			{via: "127.0.0.1;rport", fields: "Record-Route: <sip:" + third.String() + ";lr>\r\nPath: <sip:" + third.String() + ";lr>\r\nReply-To: <sip:x@" + third.String() + ">\r\nRefer-To: <sip:x@" + third.String() + ">\r\n"},
			{via: "127.0.0.1;rport", fields: "Require: nothing\r\nProxy-Require: nothing\r\n"},
			{via: "127.0.0.1;rport", fields: "Max-Forwards: 0\r\n"},
			{via: "127.0.0.1;rport", fields: "Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"x\", uri=\"sip:example.com\", response=\"x\", qop=auth, nc=00000001, cnonce=\"x\"\r\n"},
			{via: "127.0.0.1;rport", fields: "nonsense\r\n"},
		} {
			if tricky.uri == "" {
				tricky.uri = "sip:bob@example.com"
			}
			if !strings.Contains(tricky.fields, "Max-Forwards") {
				tricky.fields += "Max-Forwards: 70\r\n"
			}
			id := fmt.Sprintf("%s-%d-%d", method, i, j)
			raw := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\n%sFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>%s\r\n"+
				"Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:alice@%s>\r\nEvent: presence\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n",
				method, tricky.uri, tricky.via, id, tricky.fields, tricky.to, id, method, third)
			sent[id] = raw
			if _, err := stranger.WriteToUDPAddrPort([]byte(raw), at); err != nil {
				t.Fatal(err)
			}
		}
		// What came before is answered when this is.
		ping := fmt.Sprintf("OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKend%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n"+
			"To: <sip:example.com>\r\nCall-ID: end%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", i, i)
		sent[fmt.Sprint("end", i)] = ping
		if _, err := stranger.WriteToUDPAddrPort([]byte(ping), at); err != nil {
			t.Fatal(err)
		}
		// No more at a time than a socket has room for.
		for id, n := range callIDs(t, stranger, fmt.Sprint("end", i)) {
			answers[id] += n
		}
	}
	time.Sleep(700 * time.Millisecond) // what is sent again is, after T1
	for id, n := range callIDs(t, stranger, "") {
		answers[id] += n
	}
	elsewhere := callIDs(t, sameHost, "")
	for id, raw := range sent {
		want := 1
		if strings.HasPrefix(id, "ACK") {
			want = 0
		}
		if n := answers[id] + elsewhere[id]; n > want {
			t.Errorf("%d packets in answer to\n%s", n, raw)
		} else if strings.Contains(raw, ";rport;") && answers[id] != want {
			t.Errorf("%d answers, want %d, to\n%s", answers[id], want, raw)
		}
	}
	if got := callIDs(t, third, ""); len(got) > 0 {
		t.Errorf("somebody else was sent %v", got)
	}
	tcp.(*net.TCPListener).SetDeadline(time.Now())
	if conn, err := tcp.Accept(); err == nil {
		t.Errorf("a connection was made to %s", conn.LocalAddr())
		conn.Close()
	}
}

// TestAChallengedInviteIsOver: its ACK is taken, though nothing was kept of it, and it
// is answered as before when it comes again.
func TestAChallengedInviteIsOver(t *testing.T) {
	log := make(lines, 1000)
	b := federatedWith(t, func(c *server.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	conn, err := net.Dial("udp4", b.servers["a"].Addr("UDP").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	send := func(method, to, callID string) {
		fmt.Fprintf(conn, "%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKsame\r\nMax-Forwards: 70\r\n"+
			"From: <sip:alice@example.com>;tag=1\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, to, callID, method)
	}
	to := func() string {
		buf := make([]byte, 65535)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Parse(buf[:n], message.DefaultLimits)
		if err != nil || m.(*message.Response).StatusCode != 407 {
			t.Fatalf("%v\n%s", err, buf[:n])
		}
		return message.Get(m, "To")
	}
	send("INVITE", "<sip:bob@example.com>", "one")
	first := to()
	send("ACK", first, "one")
	send("INVITE", "<sip:bob@example.com>", "one")
	if again := to(); again != first {
		t.Errorf("the To of one request is %s and %s", first, again)
	}
	send("ACK", first, "one")
	send("ACK", first, "another")
	for {
		line := next(t, log)
		if strings.Contains(line, "ACK not passed on") {
			if !strings.Contains(line, "call_id=another") {
				t.Errorf("the ACK of a challenge was to be routed: %s", line)
				continue
			}
			return
		}
	}
}

// TestANotifyOfNoDialog is RFC 6665 section 4.1.3, by anybody, signed or not.
func TestANotifyOfNoDialog(t *testing.T) {
	b := federated(t)
	peer := b.peer("bob", "serverb.example.com", "a")
	for _, p := range []*phone{b.phone("alice", "a", "UDP"), b.phone("alice", "a", "TCP"), peer} {
		for _, to := range []string{"<sip:alice@example.com>", "<sip:alice@example.com>;tag=invented"} {
			for _, state := range []string{"active;expires=600", "terminated", ""} {
				req := p.request("NOTIFY", "alice", "Event", "presence", "Subscription-State", state)
				message.Set(req, "To", to)
				final(t, p.ask(req), 481)
			}
		}
	}
}
