package dialog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/message"
)

func parse[M message.Message](t testing.TB, lines ...string) M {
	t.Helper()
	m, err := message.Parse([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return m.(M)
}

func invite(t testing.TB, more ...string) *message.Request {
	return parse[*message.Request](t, append([]string{
		"INVITE sip:bob@example.com SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK1", "Max-Forwards: 70",
		`From: "Alice" <sip:alice@example.com>;tag=al`, "To: <sip:bob@example.com>", "Call-ID: c1", "CSeq: 10 INVITE",
		"Contact: <sip:alice@alicepc.example.com;transport=tcp>"}, more...)...)
}

func answer(t testing.TB, status string, tag string, more ...string) *message.Response {
	to := "To: <sip:bob@example.com>"
	if tag != "" {
		to += ";tag=" + tag
	}
	return parse[*message.Response](t, append([]string{
		"SIP/2.0 " + status, "Via: SIP/2.0/TCP a;branch=z9hG4bK1", `From: "Alice" <sip:alice@example.com>;tag=al`,
		to, "Call-ID: c1", "CSeq: 10 INVITE"}, more...)...)
}

// RFC 3261 section 12.1: both ends go the same way, each from its own side.
func TestBothEndsOfADialog(t *testing.T) {
	uac, err := UAC(invite(t), answer(t, "200 OK", "bo", "Contact: <sip:bob@bobpc.example.com>",
		"Record-Route: <sip:b.example.com;lr>, <sip:a.example.com;lr>"))
	if err != nil {
		t.Fatal(err)
	}
	uas, err := UAS(invite(t, "Record-Route: <sip:b.example.com;lr>", "Record-Route: <sip:a.example.com;lr>"), "bo")
	if err != nil {
		t.Fatal(err)
	}
	wantUAC := &Dialog{ID: ID{"c1", "al", "bo"}, LocalAddress: `"Alice" <sip:alice@example.com>;tag=al`,
		RemoteAddress: "<sip:bob@example.com>;tag=bo", Target: "sip:bob@bobpc.example.com",
		Routes: []string{"<sip:a.example.com;lr>", "<sip:b.example.com;lr>"}, LocalSeq: 10, Confirmed: true}
	wantUAS := &Dialog{ID: ID{"c1", "bo", "al"}, LocalAddress: "<sip:bob@example.com>;tag=bo",
		RemoteAddress: `"Alice" <sip:alice@example.com>;tag=al`, Target: "sip:alice@alicepc.example.com;transport=tcp",
		Routes: []string{"<sip:b.example.com;lr>", "<sip:a.example.com;lr>"}, RemoteSeq: 10}
	if diff := cmp.Diff(wantUAC, uac); diff != "" {
		t.Error("UAC:", diff)
	}
	if diff := cmp.Diff(wantUAS, uas); diff != "" {
		t.Error("UAS:", diff)
	}
	bye, err := uac.Request("BYE")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := IDOf(bye); err != nil || id != uas.ID {
		t.Errorf("the BYE is for %v, not %v (%v)", id, uas.ID, err)
	}
}

func TestRequestsOfADialog(t *testing.T) {
	d := &Dialog{ID: ID{"c1", "al", "bo"}, LocalAddress: "<sip:alice@example.com>;tag=al", RemoteAddress: "<sip:bob@example.com>;tag=bo",
		Target: "sip:bob@bobpc.example.com;transport=tcp", Routes: []string{"<sip:a.example.com;lr>", "<sip:b.example.com;lr>"}, LocalSeq: 10}
	for _, test := range []struct {
		name, uri, hop string
		routes, want   []string
	}{
		{"loose", "sip:bob@bobpc.example.com;transport=tcp", "sip:a.example.com;lr", d.Routes, d.Routes},
		{"none", "sip:bob@bobpc.example.com;transport=tcp", "sip:bob@bobpc.example.com;transport=tcp", nil, nil},
		// RFC 3261 section 12.2.1.1, the strict router of its example.
		{"strict", "sip:a.example.com", "sip:a.example.com", []string{"<sip:a.example.com>", "<sip:b.example.com;lr>"},
			[]string{"<sip:b.example.com;lr>", "<sip:bob@bobpc.example.com;transport=tcp>"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := *d
			d.Routes = test.routes
			before := slices.Clone(test.routes)
			req, err := d.Request("BYE")
			if err != nil {
				t.Fatal(err)
			}
			if req.Recipient.String() != test.uri || !slices.Equal(message.Raw(req, "Route"), test.want) || message.Get(req, "CSeq") != "11 BYE" {
				t.Errorf("%s", message.Bytes(req))
			}
			if next, _ := d.Request("BYE"); message.Get(next, "CSeq") != "12 BYE" {
				t.Errorf("the next has %s", message.Get(next, "CSeq"))
			}
			if hop, err := d.NextHop(); err != nil || hop.String() != test.hop {
				t.Errorf("next hop %s, %v", hop.String(), err)
			}
			if !slices.Equal(test.routes, before) {
				t.Error("the route set itself was changed")
			}
		})
	}
	ack, err := d.Ack(invite(t))
	if err != nil || message.Get(ack, "CSeq") != "10 ACK" {
		t.Errorf("ACK: %v", err)
	}
}

func TestReceive(t *testing.T) {
	d := &Dialog{ID: ID{"c1", "bo", "al"}, Target: "sip:old@a", RemoteSeq: 10}
	in := func(method, seq string, more ...string) error {
		return d.Receive(parse[*message.Request](t, append([]string{method + " sip:bob@b SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK2",
			"From: <sip:alice@example.com>;tag=al", "To: <sip:bob@example.com>;tag=bo", "Call-ID: c1", "CSeq: " + seq + " " + method}, more...)...))
	}
	var p *message.ParseError
	for _, seq := range []string{"9", "10"} {
		if err := in("BYE", seq); !errors.As(err, &p) || p.Status != 500 {
			t.Errorf("CSeq %s: %v", seq, err)
		}
	}
	if err := in("ACK", "10"); err != nil {
		t.Error("ACK:", err)
	}
	if err := in("PRACK", "12", "Contact: <sip:moved@a>"); err != nil || d.Target != "sip:old@a" || d.RemoteSeq != 12 {
		t.Errorf("PRACK is no target refresh: %s %v", d.Target, err)
	}
	if err := in("INVITE", "13", "Contact: <sip:one@a>, <sip:two@a>"); !errors.As(err, &p) || p.Status != 400 || d.RemoteSeq != 12 {
		t.Errorf("two contacts: %v", err)
	}
	if err := in("INVITE", "13", "Contact: <sip:new@a>"); err != nil || d.Target != "sip:new@a" {
		t.Errorf("target %s, %v", d.Target, err)
	}
}

func TestForkHasADialogForEachTag(t *testing.T) {
	f := NewFork(invite(t))
	step := func(res *message.Response, wantTag string, wantNew bool) *Dialog {
		t.Helper()
		d, created, err := f.Receive(res)
		if err != nil || created != wantNew || (d == nil) != (wantTag == "") || d != nil && d.Remote != wantTag {
			t.Fatalf("%d: dialog %+v, created %v, %v", res.StatusCode, d, created, err)
		}
		return d
	}
	step(answer(t, "100 Trying", ""), "", false)
	step(answer(t, "180 Ringing", ""), "", false)
	pc := step(answer(t, "183 Progress", "pc", "Contact: <sip:early@pc>", "Record-Route: <sip:one;lr>"), "pc", true)
	step(answer(t, "183 Progress", "phone", "Contact: <sip:phone>"), "phone", true)
	step(answer(t, "180 Ringing", "pc"), "pc", false)
	if _, err := pc.Request("PRACK"); err != nil {
		t.Fatal(err)
	}
	step(answer(t, "200 OK", "pc", "Contact: <sip:pc>", "Record-Route: <sip:two;lr>"), "pc", false)
	if !pc.Confirmed || pc.Target != "sip:pc" || !slices.Equal(pc.Routes, []string{"<sip:two;lr>"}) || pc.LocalSeq != 11 {
		t.Errorf("confirmed: %+v", pc)
	}
	if len(f.Early()) != 1 || len(f.Confirmed()) != 1 {
		t.Errorf("%d early, %d confirmed", len(f.Early()), len(f.Confirmed()))
	}
	step(answer(t, "200 OK", "phone", "Contact: <sip:phone>"), "phone", false)
	if len(f.Confirmed()) != 2 {
		t.Error("the second 2xx is a dialog too")
	}
	other := NewFork(invite(t))
	if _, _, err := other.Receive(answer(t, "183 Progress", "x")); err != nil {
		t.Fatal(err)
	}
	other.Receive(answer(t, "486 Busy", "y"))
	if len(other.Early()) != 0 {
		t.Error("a final response ends early dialogs")
	}
}

func TestByNotify(t *testing.T) {
	sub := parse[*message.Request](t, "SUBSCRIBE sip:bob@example.com SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK2",
		"From: <sip:alice@example.com>;tag=al", "To: <sip:bob@example.com>", "Call-ID: c1", "CSeq: 4 SUBSCRIBE", "Contact: <sip:a>")
	notify := parse[*message.Request](t, "NOTIFY sip:a SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK2", "Record-Route: <sip:a.example.com;lr>",
		"Record-Route: <sip:b.example.com;lr>",
		"To: <sip:alice@example.com>;tag=al", "From: <sip:bob@example.com>;tag=bo", "Call-ID: c1", "CSeq: 9 NOTIFY", "Contact: <sip:serverB>")
	d, err := ByNotify(sub, notify)
	if err != nil {
		t.Fatal(err)
	}
	want := &Dialog{ID: ID{"c1", "al", "bo"}, LocalAddress: "<sip:alice@example.com>;tag=al", RemoteAddress: "<sip:bob@example.com>;tag=bo",
		Target: "sip:serverB", Routes: []string{"<sip:a.example.com;lr>", "<sip:b.example.com;lr>"}, LocalSeq: 4, RemoteSeq: 9, Confirmed: true}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}
