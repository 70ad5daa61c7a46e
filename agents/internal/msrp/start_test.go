package msrp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// RFC 6135: the answer may be later than the answerer's first request.
func TestAPeerMayBeQuickerThanItsAnswer(t *testing.T) {
	for _, c := range []struct {
		named string
		good  bool
	}{{peerURI, true}, {"msrp://127.0.0.1:9/another;tcp", false}} {
		inbox := newInbox()
		e := startEndpoint(t, Config{})
		s := newSession(t, e, inbox.config())
		p := dialPeer(t, e)
		p.send(s, "MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: early\nContent-Type: text/plain\n\nR u there\n-------abcd1234$\n")
		if f, _, _ := p.frame(); f.Status != 200 {
			t.Fatalf("got %+v", f)
		}
		if m := await(t, inbox.messages); string(m.Body) != "R u there" {
			t.Errorf("got %+v", m)
		}
		select {
		case <-s.Ready():
			t.Error("ready without a peer")
		default:
		}
		err := s.Start(testContext(t), describe(t, c.named), Passive)
		if (err == nil) != c.good {
			t.Errorf("Start with %s: %v", c.named, err)
		}
		if c.good {
			await(t, s.Ready())
		} else {
			await(t, s.Done())
		}
	}
}

func TestTheActiveSideBindsAtOnce(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	started := make(chan error, 1)
	go func() { started <- s.Start(context.Background(), describe(t, uri), Active) }()
	p := accept()
	f, body, flag := p.frame()
	var names []string
	for _, h := range f.Headers {
		names = append(names, h.Name+": "+h.Value)
	}
	want := []string{"To-Path: " + uri, "From-Path: " + s.LocalPath().String(), "Message-ID: " + f.MessageID(), "Byte-Range: 1-0/0"}
	if strings.Join(names, "\n") != strings.Join(want, "\n") || f.Method != "SEND" || f.HasBody || body != "" || flag != Last {
		t.Errorf("got %+v", f)
	}
	select {
	case err := <-started:
		t.Errorf("bound without an answer: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	p.respond(s, f, "200 OK")
	if err := await(t, started); err != nil {
		t.Error(err)
	}
}

func TestBindingRefused(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	started := make(chan error, 1)
	go func() { started <- s.Start(context.Background(), describe(t, uri), Active) }()
	p := accept()
	f, _, _ := p.frame()
	p.respond(s, f, "506 taken")
	var status *StatusError
	if err := await(t, started); !errors.As(err, &status) || status.Code != 506 || status.Comment != "taken" {
		t.Errorf("Start: %v", err)
	}
	await(t, s.Done())
}

func TestNobodyListens(t *testing.T) {
	e := startEndpoint(t, Config{})
	other, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	uri := other.newURI(false)
	other.Close()
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), Description{Path: Path{uri}}, Active); err == nil {
		t.Error("started")
	}
	await(t, s.Done())
}
