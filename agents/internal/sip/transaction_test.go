package sip

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

func TestRoundTrip(t *testing.T) {
	for _, transport := range []string{"UDP", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			sources := make(chan Source, 1)
			server := start(t, &handler{request: func(tx *ServerTx) { sources <- tx.Source(); answer(tx, 200) }}, nil)
			client := start(t, &handler{}, nil)
			got := make(chan outcome, 4)
			client.Send(request("OPTIONS"), Target{Transport: transport, Addr: server.Addr(transport)}, collect(got))
			if o := recv(t, got); o.status != 200 {
				t.Fatalf("%+v", o)
			}
			if src := recv(t, sources); src.Transport != transport || (src.Flow == 0) != (transport == "UDP") {
				t.Errorf("source %+v", src)
			}
		})
	}
}

func TestTimeoutAndRetransmission(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	client := start(t, &handler{}, func(c *Config) {
		c.Timers = Timers{T1: 5 * time.Millisecond, T2: 20 * time.Millisecond, T4: 20 * time.Millisecond}
	})
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "UDP", Addr: addrPort(peer.LocalAddr())}, collect(got))
	if o := recv(t, got); !errors.Is(o.err, ErrTimeout) {
		t.Fatalf("%+v", o)
	}
	copies := map[string]int{}
	buf := make([]byte, 4096)
	for {
		peer.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _, err := peer.ReadFrom(buf)
		if err != nil {
			break
		}
		copies[string(buf[:n])]++
	}
	if len(copies) != 1 {
		t.Fatalf("%d different datagrams", len(copies))
	}
	for _, n := range copies {
		if n < 5 {
			t.Errorf("sent %d times within 64*T1", n)
		}
	}
}

func TestRetransmittedRequestIsAnsweredNotServed(t *testing.T) {
	served := make(chan string, 4)
	server := start(t, &handler{request: func(tx *ServerTx) { served <- tx.Request().Method; answer(tx, 200) }}, nil)
	c := raw(t, server, "udp")
	buf := make([]byte, 4096)
	var answers []string
	for range 3 {
		io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKsame", ""))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(buf[:n]))
	}
	recv(t, served)
	if len(served) != 0 || answers[0] != answers[2] {
		t.Errorf("served %d times more, answers %q", len(served), answers)
	}
	want := "rport=" + fmt.Sprint(c.LocalAddr().(*net.UDPAddr).Port) + ";branch=z9hG4bKsame;received=127.0.0.1"
	if !strings.Contains(answers[0], want) {
		t.Errorf("the Via lacks %q:\n%s", want, answers[0])
	}
}

func TestCancelIsHandedUpBesideItsInvite(t *testing.T) {
	invites := make(chan *ServerTx, 1)
	ended := make(chan error, 1)
	server := start(t, &handler{request: func(tx *ServerTx) {
		switch tx.Request().Method {
		case "INVITE":
			tx.OnEnd(func(err error) { ended <- err })
			answer(tx, 180)
			invites <- tx
		case "CANCEL":
			answer(tx, 200)
			if tx.Invite() != nil {
				answer(tx.Invite(), 487)
			}
		}
	}}, nil)
	client := start(t, &handler{}, nil)
	for _, transport := range []string{"TCP", "UDP"} {
		got := make(chan outcome, 8)
		tx := client.Send(request("INVITE"), Target{Transport: transport, Addr: server.Addr(transport)}, collect(got))
		if o := recv(t, got); o.status != 180 {
			t.Fatalf("%+v", o)
		}
		tx.Cancel()
		if o := recv(t, got); o.status != 487 {
			t.Fatalf("%+v", o)
		}
		recv(t, invites)
		if transport == "TCP" { // over UDP Timer I keeps it for T4
			if err := recv(t, ended); err != nil {
				t.Errorf("the ACK did not arrive: %v", err)
			}
		}
	}
}

func TestEarlyCancelWaitsForProvisional(t *testing.T) {
	release := make(chan struct{})
	methods := make(chan string, 4)
	server := start(t, &handler{request: func(tx *ServerTx) {
		methods <- tx.Request().Method
		if tx.Request().Method == "CANCEL" {
			answer(tx, 200)
			answer(tx.Invite(), 487)
			return
		}
		go func() { <-release; answer(tx, 100) }()
	}}, nil)
	client := start(t, &handler{}, nil)
	got := make(chan outcome, 8)
	tx := client.Send(request("INVITE"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	tx.Cancel()
	recv(t, methods)
	close(release)
	for {
		if o := recv(t, got); o.status == 487 {
			break
		} else if o.status != 100 {
			t.Fatalf("%+v", o)
		}
	}
	if m := recv(t, methods); m != "CANCEL" {
		t.Errorf("then came %s", m)
	}
}

func TestEvery2xxIsHeardAndItsAckPassedOn(t *testing.T) {
	acks := make(chan string, 4)
	server := start(t, &handler{
		request: func(tx *ServerTx) {
			tx.Respond(message.NewResponse(tx.Request(), 200, "", "one"))
			tx.Respond(message.NewResponse(tx.Request(), 200, "", "two"))
		},
		ack: func(ack *message.Request) { to, _ := message.To(ack); acks <- to.Tag() },
	}, nil)
	client := start(t, &handler{}, nil)
	to := Target{Transport: "TCP", Addr: server.Addr("TCP")}
	tags := make(chan string, 4)
	client.Send(request("INVITE"), to, func(res *message.Response, err error) {
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		ack := request("ACK")
		message.Set(ack, "To", message.Get(res, "To"))
		if err := client.SendStateless(ack, to); err != nil {
			t.Errorf("%v", err)
		}
		a, _ := message.To(res)
		tags <- a.Tag()
	})
	for _, want := range []string{"one", "two"} {
		if got := recv(t, tags); got != want {
			t.Errorf("2xx from %q, want %q", got, want)
		}
		if got := recv(t, acks); got != want {
			t.Errorf("ACK for %q, want %q", got, want)
		}
	}
}

func TestPreparedRequest(t *testing.T) {
	bodies := make(chan string, 1)
	server := start(t, &handler{request: func(tx *ServerTx) { bodies <- string(tx.Request().Body()); answer(tx, 481) }}, nil)
	client := start(t, &handler{}, nil)
	to := Target{Transport: "TCP", Addr: server.Addr("TCP")}
	branch := NewBranch()
	req := request("NOTIFY")
	message.Prepend(req, "Via", client.Via(to, branch))
	message.SetBody(req, "text/plain", []byte("prepared"))
	got := make(chan outcome, 1)
	client.SendPrepared(message.Bytes(req), branch, "NOTIFY", to, func(status int, _ []byte, err error) { got <- outcome{status, err} })
	if o := recv(t, got); o.status != 481 || recv(t, bodies) != "prepared" {
		t.Errorf("%+v", o)
	}
}

// A response that cannot be matched at a glance ends a prepared request as any
// other does: its Via is folded, or its version in lower case.
func TestPreparedRequestHearsEveryResponse(t *testing.T) {
	for name, change := range map[string]func(via string) (version, same string){
		"folded Via": func(via string) (string, string) {
			return "SIP/2.0", strings.Replace(via, ";branch", "\r\n ;branch", 1)
		},
		"lower version": func(via string) (string, string) { return "sip/2.0", via },
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			client := start(t, &handler{}, nil)
			branch := NewBranch()
			to := Target{Transport: "TCP", Addr: addrPort(ln.Addr())}
			req := request("NOTIFY")
			message.Prepend(req, "Via", client.Via(to, branch))
			got := make(chan outcome, 1)
			client.SendPrepared(message.Bytes(req), branch, "NOTIFY", to, func(status int, _ []byte, err error) { got <- outcome{status, err} })
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			version, via := change(client.Via(to, branch))
			io.WriteString(c, version+" 202 Accepted\r\nVia: "+via+"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n")
			if o := recv(t, got); o.status != 202 {
				t.Errorf("%+v", o)
			}
		})
	}
}
