package client_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// end is a far end for messages: sessions whose messages stand in a channel.
type end struct {
	*msrp.Session
	t   *testing.T
	got chan msrp.Message
}

func newEnd(t *testing.T) *end {
	t.Helper()
	at, err := msrp.Listen(msrp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	running(t, at.Run)
	e := &end{t: t, got: make(chan msrp.Message, 16)}
	if e.Session, err = at.NewSession(msrp.SessionConfig{AcceptTypes: []string{"text/plain"}, OnMessage: func(m msrp.Message) { e.got <- m }}); err != nil {
		t.Fatal(err)
	}
	return e
}

// described is the end's session description.
func (e *end) described(setup msrp.Setup) []byte {
	e.t.Helper()
	text, err := e.Describe(setup).Marshal()
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

// hears is the next message.
func (e *end) hears(text string) msrp.Message {
	e.t.Helper()
	m := within(e.t, e.got, "the message "+text)
	if string(m.Body) != text {
		e.t.Errorf("heard %q, want %q", m.Body, text)
	}
	return m
}

func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("never came: %s", what)
	}
	return v
}

// part is a session description for a body of several.
func part(use string, text []byte) message.Part {
	return message.NewPart(text, "Content-Type", "application/sdp", "Content-Disposition", use)
}

// several puts parts together as a multipart/mixed body.
func several(t *testing.T, m message.Message, parts ...message.Part) {
	t.Helper()
	contentType, body, err := message.WriteParts(parts, "mixed", nil)
	if err != nil {
		t.Fatal(err)
	}
	message.SetBody(m, contentType, body)
}

// reliably answers with a reliable 183; change writes its body and what else.
func (f *far) reliably(tx *sip.ServerTx, tag string, rseq uint32, change func(*message.Response)) {
	f.t.Helper()
	res := message.NewResponse(tx.Request(), 183, "", tag)
	message.Add(res, "Contact", f.contact())
	message.Add(res, "Require", "100rel")
	message.Add(res, "RSeq", strconv.FormatUint(uint64(rseq), 10))
	if change != nil {
		change(res)
	}
	if err := tx.Respond(res); err != nil {
		f.t.Error(err)
	}
}

// pracked is the next request, which must be a PRACK of that tag and RSeq.
func (f *far) pracked(tag string, rseq uint32) *sip.ServerTx {
	f.t.Helper()
	tx := f.asked("PRACK")
	req := tx.Request()
	to, _ := message.To(req)
	if rack, _, _ := strings.Cut(message.Get(req, "RAck"), " "); to.Tag() != tag || rack != strconv.FormatUint(uint64(rseq), 10) {
		f.t.Fatalf("want RSeq %d of %s\n%s", rseq, tag, message.Bytes(req))
	}
	return tx
}

// calling has a device call with a first message.
type calling struct {
	s    *client.Session
	done chan error
}

func (d *device) calls(text string) *calling {
	c := &calling{done: make(chan error, 1)}
	go func() {
		var err error
		c.s, err = d.IM(timeout(d.t), "bob", text)
		c.done <- err
	}()
	return c
}

// returned waits for IM.
func (c *calling) returned(t *testing.T) *client.Session {
	t.Helper()
	if err := within(t, c.done, "the end of IM"); err != nil {
		t.Fatal(err)
	}
	return c.s
}

// hangUp ends a session by its own side and sees that nothing stays.
func (f *far) hangUp(d *device, s *client.Session) {
	f.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Close(timeout(f.t)) }()
	f.answer(f.asked("BYE"), 200, "", "")
	if err := <-done; err != nil {
		f.t.Error(err)
	}
	d.next("closed")
	if n := len(d.Sessions()); n != 0 {
		f.t.Errorf("%d sessions are left", n)
	}
}

// nothing asserts that no further request came.
func (f *far) nothing() {
	f.t.Helper()
	select {
	case tx := <-f.asks:
		f.t.Errorf("one too many:\n%s", message.Bytes(tx.Request()))
	default:
	}
}
