package client_test

import (
	"fmt"
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
	by   *device
	text string
	s    *client.Session
	done chan error
}

func (d *device) calls(text string) *calling {
	c := &calling{by: d, text: text, done: make(chan error, 1)}
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

// takes answers a call, hears its message by the session and sees it ended.
func (f *far) takes(call *calling, invite *sip.ServerTx, tag string) {
	f.t.Helper()
	media := newEnd(f.t)
	f.answer(invite, 200, tag, string(media.described(msrp.SetupPassive)), "Contact", f.contact())
	f.acked()
	media.hears(call.text)
	s := call.returned(f.t)
	call.by.next("session")
	call.by.next("sent")
	f.hangUp(call.by, s)
	f.nothing()
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

// ringing is an INVITE of the far end's to a device, and all that answers it.
type ringing struct {
	f      *far
	to     *device
	invite *message.Request
	heard  chan *message.Response
	cseq   uint32
	tx     *sip.ClientTx
}

func (f *far) rings(to *device, body string, fields ...string) *ringing {
	f.t.Helper()
	r := &ringing{f: f, to: to, invite: f.invite(to, body), heard: make(chan *message.Response, 64), cseq: 1}
	for i := 0; i+1 < len(fields); i += 2 {
		message.Set(r.invite, fields[i], fields[i+1])
	}
	r.tx = f.Send(message.Clone(r.invite), sip.Target{Transport: "TCP", Addr: to.Addr("TCP")}, func(res *message.Response, err error) {
		if err != nil {
			f.t.Errorf("INVITE: %v", err)
		} else if res.StatusCode != 100 {
			r.heard <- res
		}
	})
	return r
}

const knowing = "100rel, early-session"

// answered is the next response, which must have that status.
func (r *ringing) answered(status int) *message.Response {
	r.f.t.Helper()
	res := within(r.f.t, r.heard, fmt.Sprint(status))
	if res.StatusCode != status {
		r.f.t.Fatalf("%d, want %d\n%s", res.StatusCode, status, message.Bytes(res))
	}
	return res
}

// request is the next one of the dialog that res made.
func (r *ringing) request(method string, res *message.Response, fields ...string) *message.Request {
	r.cseq++
	req := r.f.within(method, fmt.Sprint(r.cseq), r.invite, res)
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(req, fields[i], fields[i+1])
	}
	return req
}

// prack acknowledges res, with the answer to its early offer; none where answer
// is empty.
func (r *ringing) prack(res *message.Response, answer []byte) *message.Response {
	r.f.t.Helper()
	req := r.request("PRACK", res, "RAck", message.Get(res, "RSeq")+" 1 INVITE")
	if answer != nil {
		message.SetBody(req, "application/sdp", answer)
		message.Add(req, "Content-Disposition", "early-session")
	}
	return r.f.ask(r.to, req)
}

// accepted has the device answer, and gives its 200, acknowledged.
func (r *ringing) accepted() *message.Response {
	r.f.t.Helper()
	done := make(chan error, 1)
	go func() { done <- r.to.Sessions()[0].Accept(timeout(r.f.t)) }()
	res := r.answered(200)
	r.f.tell(r.to, r.f.within("ACK", "1", r.invite, res))
	if err := within(r.f.t, done, "Accept"); err != nil {
		r.f.t.Fatal(err)
	}
	return res
}

// offers are the two descriptions of a 183.
func offers(t *testing.T, res *message.Response) (answer, offer *msrp.Description) {
	t.Helper()
	parts, err := message.ParseParts(message.Get(res, "Content-Type"), res.Body(), message.DefaultPartLimits)
	if err != nil || len(parts) != 2 || parts[0].Disposition() != "session" || parts[1].Disposition() != "early-session" {
		t.Fatalf("%v\n%s", err, message.Bytes(res))
	}
	if answer, err = msrp.ParseDescription(parts[0].Body); err == nil {
		offer, err = msrp.ParseDescription(parts[1].Body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer, offer
}

func earlyDevice(t *testing.T, f *far, change func(*client.Config)) *device {
	t.Helper()
	return newDevice(t, "bob", f.at(), func(c *client.Config) {
		c.Answer = client.AnswerEarly
		if change != nil {
			change(c)
		}
	})
}
