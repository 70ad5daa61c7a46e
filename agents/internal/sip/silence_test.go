package sip

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/cut"
)

// A peer whose link swallows everything is noticed long before Timer F (32 s), at
// both ends; one that comes back keeps its connection.
func TestSilentLinkIsNoticed(t *testing.T) {
	with, _ := secure(t)
	alive := func(c *Config) {
		with(c)
		c.KeepAlive, c.Limits.ConnectTimeout = time.Second, 2*time.Second
	}
	asked, closed := make(chan Source, 10), make(chan Source, 10)
	server := start(t, &handler{
		request: func(tx *ServerTx) { asked <- tx.Source(); answer(tx, 200) },
		closed:  func(s Source) { closed <- s },
	}, alive)
	link, err := cut.New(server.Addr("TLS").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	client := start(t, &handler{}, alive)
	to := Target{Transport: "TLS", Addr: link.Addr(), ServerName: "localhost"}
	send := func() <-chan outcome {
		got := make(chan outcome, 1)
		client.Send(request("OPTIONS"), to, collect(got))
		return got
	}
	if o := recv(t, send()); o.status != 200 {
		t.Fatalf("%+v", o)
	}
	first := recv(t, asked)

	link.Set(cut.Silent)
	waits := send()
	link.Set(cut.Whole)
	if o := recv(t, waits); o.status != 200 {
		t.Fatalf("over a link that was silent for a moment: %+v", o)
	}
	if again := recv(t, asked); again.Flow != first.Flow {
		t.Error("a moment's silence costs the connection")
	}

	link.Set(cut.Silent)
	begun := time.Now()
	if o := recv(t, send()); !errors.Is(o.err, ErrTransport) {
		t.Fatalf("%+v", o)
	}
	recv(t, closed)
	if o := recv(t, send()); !errors.Is(o.err, ErrTransport) { // a new one does not come about
		t.Fatalf("%+v", o)
	}
	if took := time.Since(begun); took > 16*time.Second {
		t.Errorf("noticed after %s", took)
	}
	link.Set(cut.Whole)
	if o := recv(t, send()); o.status != 200 {
		t.Fatalf("after it: %+v", o)
	}
}

// A connection that is idle and whole stays, and so does one to a peer that knows
// no keep-alives.
func TestWhoKnowsNoKeepAlivesIsNotHeldToThem(t *testing.T) {
	with, _ := secure(t)
	closed := make(chan Source, 10)
	server := start(t, &handler{
		request: func(tx *ServerTx) { answer(tx, 200) },
		closed:  func(s Source) { closed <- s },
	}, func(c *Config) { with(c); c.KeepAlive = 20 * time.Millisecond })
	client := start(t, &handler{}, with)
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TLS", Addr: server.Addr("TLS"), ServerName: "localhost"}, collect(got))
	recv(t, got) // it answers pings from here on
	nc, err := net.Dial("tcp", server.Addr("TLS").String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cfg := Config{Listen: make([]Listen, 1)}
	with(&cfg)
	proves := cfg.ClientTLS.Clone()
	proves.ServerName = "localhost"
	deaf := tls.Client(nc, proves)
	io.WriteString(deaf, wireRequest("OPTIONS", "z9hG4bK"+NewTag(), "Content-Length: 0\r\n"))
	deaf.SetReadDeadline(time.Now().Add(20 * time.Second))
	for said := ""; strings.Count(said, string(ping)) < 10; { // it is pinged, and says nothing
		piece := make([]byte, 1024)
		n, err := deaf.Read(piece)
		if err != nil {
			t.Fatal(err)
		}
		said += string(piece[:n])
	}
	select {
	case src := <-closed:
		t.Errorf("%s lost its connection", src.Remote)
	default:
	}
}
