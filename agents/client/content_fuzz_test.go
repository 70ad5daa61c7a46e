package client

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
)

// FuzzContent: whatever comes is understood, or refused with 400 or 415; and any
// text in an envelope of ours comes out of it as it went in.
func FuzzContent(f *testing.F) {
	f.Add("text/plain", []byte("hello"))
	f.Add("message/cpim", []byte("From: <im:a@b>\r\n\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/imdn+xml\r\n\r\n<imdn/>\r\n--x--"))
	f.Add("message/cpim", []byte("From: <im:a@b>\nRequire: a.b\n\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n="))
	f.Add("application/im-iscomposing+xml", []byte(`<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>idle</state></isComposing>`))
	alice := message.URI{Scheme: "sip", User: "alice", Host: "example.com"}
	c := &Client{aor: alice, clock: clock.System, cfg: Config{Bind: netip.IPv4Unspecified()}}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		in, err := open(contentType, body)
		var said *message.ParseError
		if err != nil && (!errors.As(err, &said) || said.Status != 400 && said.Status != 415) {
			t.Errorf("%v", err)
		}
		if err == nil && in.status == nil && in.notices == nil && !isText(in.contentType) {
			t.Errorf("%s is taken for a text", in.contentType)
		}
		wrapped, id, err := c.wrap(alice, Envelope{Subject: contentType, Notify: []Notice{imdn.Display}}, textPlain, body)
		if err != nil {
			return // a subject that is no text
		}
		out, err := open("message/cpim", wrapped)
		if err != nil || !bytes.Equal(out.body, body) {
			t.Fatalf("%q came out as %q, %v", body, out.body, err)
		}
		if asked, ok := imdn.Asked(out.envelope); !ok || asked.ID != id || !asked.Wants(imdn.Display) {
			t.Errorf("%+v", asked)
		}
	})
}
