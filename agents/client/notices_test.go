package client_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// page is a MESSAGE of alice's to bob, by hand.
func page(contentType, body string, fields ...string) *message.Request {
	pages++
	from := "<sip:alice@example.com>;tag=1"
	if len(fields) > 1 && fields[0] == "From" {
		from, fields = fields[1], fields[2:]
	}
	req := request(message.MESSAGE, "sip:bob@example.com", append([]string{
		"From", from, "To", "<sip:bob@example.com>", "Call-ID", fmt.Sprint("page", pages), "CSeq", "1 MESSAGE"}, fields...)...)
	message.SetBody(req, contentType, []byte(strings.ReplaceAll(body, "\n", "\r\n")))
	return req
}

var pages int

// inEnvelope is a message in one that asks for all notices by an ID.
func inEnvelope(from, id, more string) string {
	return "From: <" + from + ">\nTo: <sip:bob@example.com>\nDateTime: 2026-11-25T12:00:00Z\nNS: imdn <urn:ietf:params:imdn>\nimdn.Message-ID: " + id +
		"\nimdn.Disposition-Notification: positive-delivery, negative-delivery, display\n" + more + "\nContent-Type: text/plain; charset=utf-8\n\nHello"
}

// noticed is the next MESSAGE, which holds a notice: "delivery of ID to URI".
func (f *far) noticed() string {
	f.t.Helper()
	tx := f.asked(message.MESSAGE)
	f.answer(tx, 200, "t", "")
	req := tx.Request()
	_, content, _ := strings.Cut(string(req.Body()), "\r\n\r\n")
	fields, doc, _ := strings.Cut(content, "\r\n\r\n")
	if got := message.Get(req, "Content-Type"); got != "message/cpim" || !strings.Contains(fields, "Content-Type: message/imdn+xml\r\nContent-Disposition: notification") {
		f.t.Errorf("no notice: %s\n%s", got, req.Body())
	}
	between := func(open, end string) string {
		_, s, _ := strings.Cut(doc, open)
		s, _, _ = strings.Cut(s, end)
		return s
	}
	return between("<", "-notification>")[strings.LastIndex(between("<", "-notification>"), "<")+1:] + " of " + between("<message-id>", "<") + " to " + req.Recipient.String()
}

// What bob's device tells of messages that ask, and to whom (RFC 5438 sections
// 7.2, 12.1.3, 14). Whatever is to be silence is followed by one that asks
// rightly, whose notice must be the next.
func TestNotices(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Notices = []client.Notice{imdn.Delivery} })
	const alice, cpim = "sip:alice@example.com", "message/cpim"
	for i, tt := range []struct {
		name string
		req  *message.Request
		want string // silence otherwise
	}{
		{"asks", page(cpim, inEnvelope(alice, "1", "")), "delivery of 1 to sip:alice@example.com"},
		{"by an im URI", page("Message/CPIM", inEnvelope("im:alice@Example.com", "2", "")), "delivery of 2 to sip:alice@example.com"},
		{"the same again", page(cpim, inEnvelope(alice, "1", "")), ""},
		{"asks for nothing", page(cpim, strings.ReplaceAll(inEnvelope(alice, "3", ""), "Disposition-Notification", "X")), ""},
		{"anonymous", page(cpim, inEnvelope("im:anonymous@anonymous.invalid", "4", ""), "From", "<sip:anonymous@anonymous.invalid>;tag=1"), ""},
		{"another name in the envelope", page(cpim, inEnvelope("sip:carol@example.com", "5", "")), ""},
		{"asserted to be another", page(cpim, inEnvelope(alice, "6", ""), "P-Asserted-Identity", "<sip:carol@example.com>"), ""},
		{"wants privacy", page(cpim, inEnvelope(alice, "7", ""), "Privacy", "id"), ""},
		{"asserted", page(cpim, inEnvelope(alice, "8", ""), "P-Asserted-Identity", "<sip:alice@example.com>"), "delivery of 8 to sip:alice@example.com"},
		{"by an intermediary", page(cpim, inEnvelope(alice, "9", "imdn.IMDN-Record-Route: <im:relay@example.com>\n")), "delivery of 9 to sip:relay@example.com"},
		{"to a third party", page(cpim, inEnvelope(alice, "10", "imdn.IMDN-Record-Route: <im:victim@example.net>\n")), ""},
		{"parameters of From go nowhere", page(cpim, inEnvelope(alice, "11", ""), "From", "<sip:alice@example.com;maddr=192.0.2.1>;tag=1"), "delivery of 11 to sip:alice@example.com"},
	} {
		if res := f.ask(bob, tt.req); res.StatusCode != 200 {
			t.Fatalf("%s: %d", tt.name, res.StatusCode)
		}
		if e := bob.next("im"); e.Text != "Hello" || e.ContentType != "text/plain" || tt.want != "" && (e.MessageID == "" || len(e.Notify) != 2) {
			t.Errorf("%s: %+v", tt.name, e)
		}
		if tt.want == "" {
			after := fmt.Sprint("after", i)
			tt.want = "delivery of " + after + " to sip:alice@example.com"
			f.ask(bob, page(cpim, inEnvelope(alice, after, "")))
			bob.next("im")
		}
		if got := f.noticed(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if e := bob.next("sent"); e.Notice != imdn.Delivery || e.State != "delivered" || e.Via != "page" {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
	// Display is told when bob says so, once for each.
	if n, err := bob.Displayed("carol"); n != 0 || err != nil {
		t.Errorf("%d of carol's, %v", n, err)
	}
	n, err := bob.Displayed("alice")
	if n < 6 || err != nil {
		t.Errorf("%d messages of alice's, %v", n, err)
	}
	for range n - 1 { // the third party's is silence
		if got := f.noticed(); !strings.HasPrefix(got, "display of ") {
			t.Errorf("%q, want one of display", got)
		}
		bob.next("sent")
	}
	if n, _ := bob.Displayed("alice"); n != 0 {
		t.Errorf("%d are said to be displayed once more", n)
	}
}

// An answer to an answer would go on for ever.
func TestNoNoticeOfANotice(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Notices = []client.Notice{imdn.Delivery, imdn.Display} })
	notice := strings.Replace(inEnvelope("sip:alice@example.com", "1", ""), "Content-Type: text/plain; charset=utf-8\n\nHello", "Content-Type: message/imdn+xml\nContent-Disposition: notification\n\n"+notice, 1)
	if res := f.ask(bob, page("message/cpim", notice)); res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
	if e := bob.next("notice"); e.MessageID != "x1" || e.Notice != imdn.Display || e.State != "displayed" || e.Reason == "" || e.From != "sip:alice@example.com" {
		t.Errorf("%+v", e)
	}
	f.ask(bob, page("message/cpim", inEnvelope("sip:alice@example.com", "2", "")))
	bob.next("im")
	for range 2 {
		if got := f.noticed(); !strings.Contains(got, " of 2 to ") {
			t.Errorf("%q", got)
		}
	}
}

const (
	notice = `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>x1</message-id><datetime>2026-11-25T12:00:00Z</datetime><display-notification><status><displayed/></status></display-notification></imdn>`
	status = `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><contenttype>text/plain</contenttype><refresh>60</refresh></isComposing>`
)

// What a MESSAGE may hold, and what its sender hears otherwise.
func TestPageContents(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), nil)
	const envelope = "From: <sip:alice@example.com>\nTo: <sip:bob@example.com>\n"
	aggregate := "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/imdn+xml\n\n" + notice + "\n--b\nContent-Type: message/imdn+xml\n\n" + notice + "\n--b--\n"
	for _, tt := range []struct {
		contentType, body string
		status            int
		events            string
	}{
		{"text/plain", "hello", 200, "im"},
		{"text/html", "<p>hello</p>", 200, "im"},
		{"message/imdn+xml", notice, 200, "notice"},
		{"application/im-iscomposing+xml;charset=utf-8", status, 200, "composing"},
		{"message/cpim", envelope + "\nContent-Type: application/im-iscomposing+xml\n\n" + status, 200, ""}, // active already
		{"message/cpim", envelope + "Subject:;lang=en tea\n\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8=", 200, "composing im"},
		{"message/cpim", envelope + "\n" + aggregate, 200, "notice notice"},
		{"message/cpim", envelope + "Require: Subject\n\nContent-Type: text/plain\n\nhello", 200, "im"},
		{"message/cpim", envelope + "Require: NS,Vital\n\nContent-Type: text/plain\n\nhello", 415, ""},
		{"message/cpim", envelope + "\nContent-Type: image/png\n\n", 415, ""},
		{"message/cpim", envelope + "\nContent-Type: message/cpim\n\n", 415, ""},
		{"message/cpim", "hello", 400, ""},
		{"message/imdn+xml", "<imdn/>", 400, ""},
		{"application/im-iscomposing+xml", "<!DOCTYPE x>" + status, 400, ""},
		{"image/png", "x", 415, ""},
	} {
		res := f.ask(bob, page(tt.contentType, tt.body))
		if res.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.contentType, tt.body, res.StatusCode, tt.status)
		}
		if accept := message.Get(res, "Accept"); tt.status == 415 && (!strings.Contains(accept, "message/cpim") || !strings.Contains(accept, "text/plain")) {
			t.Errorf("415 with Accept: %s", accept)
		}
		for _, want := range strings.Fields(tt.events) {
			e := bob.next(want)
			if want == "im" && !strings.Contains(e.Text, "hello") || strings.Contains(tt.body, "tea") && want == "im" && e.Subject != "tea" {
				t.Errorf("%s: %+v", tt.body, e)
			}
		}
	}
	if res := f.ask(bob, page("text/plain", "last")); res.StatusCode != 200 || bob.next("im").Text != "last" {
		t.Error("events beyond those expected")
	}
}

// A message that was under way for longer than it is worth says so (RFC 3428
// section 7).
func TestExpiredPage(t *testing.T) {
	f := newFar(t)
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Clock = clock.NewManual(now) })
	for date, want := range map[string]string{"Wed, 25 Nov 2026 11:59:30 GMT": "", "Wed, 25 Nov 2026 11:58:30 GMT": "expired"} {
		f.ask(bob, page("text/plain", "hello", "Expires", "60", "Date", date))
		if e := bob.next("im"); e.State != want {
			t.Errorf("sent %s: state %q, want %q", date, e.State, want)
		}
	}
}

// By session: the sender hears of delivery and display in it, by the ID that the
// message went with.
func TestNoticesInASession(t *testing.T) {
	bob := newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) {
		c.Answer, c.Notices = client.AnswerAuto, []client.Notice{imdn.Delivery, imdn.Display}
	})
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	alice.next("session")
	bob.next("session")
	id, err := s.SendWrapped(timeout(t), "text/plain", []byte("Hello"), client.Envelope{Subject: "tea\n", Notify: []client.Notice{imdn.Delivery, imdn.Display}})
	if err != nil || len(id) < 11 { // 64 bits of it
		t.Fatal(id, err)
	}
	if e := bob.next("im"); e.Text != "Hello" || e.Subject != "tea\n" || e.MessageID != id || e.Via != "session" || e.State != "established" {
		t.Errorf("%+v", e)
	}
	got := map[client.Notice]string{}
	for range 3 { // the message is answered before or after its notices come
		e := <-alice.events
		switch {
		case e.MessageID != id:
			t.Errorf("%+v", e)
		case e.Type == "notice":
			got[e.Notice] = e.State + e.Reason + e.Via + e.From
		case e.Type != "sent":
			t.Errorf("%+v", e)
		}
	}
	if got[imdn.Delivery] != "deliveredsessionsip:bob@example.com" || got[imdn.Display] != "displayedsessionsip:bob@example.com" {
		t.Errorf("%v", got)
	}
}

// A peer that has not said that it takes envelopes is sent none.
func TestEnvelopesAreAgreedOn(t *testing.T) {
	bob := newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) { c.Answer, c.AcceptTypes = client.AnswerAuto, []string{"text/plain"} })
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	alice.next("session")
	if _, err := s.SendWrapped(timeout(t), "text/plain", []byte("Hello"), client.Envelope{CPIM: true}); !errors.Is(err, msrp.ErrType) {
		t.Errorf("%v", err)
	}
	if err := alice.Composing("bob"); err != nil {
		t.Error(err)
	}
	if e := alice.next("failed"); !strings.Contains(e.Reason, "does not take isComposing") {
		t.Errorf("%+v", e)
	}
	if err := alice.Composing("bob"); !errors.Is(err, client.ErrNotTaken) {
		t.Errorf("once refused: %v", err)
	}
}
