package trace

import (
	"strings"
	"testing"
)

func TestRename(t *testing.T) {
	in := strings.Join([]string{
		"SUBSCRIBE sip:bob@127.0.0.12:41234 SIP/2.0",
		"Via: SIP/2.0/TLS servera.example.com:5061;branch=z9hG4bKabc;rport",
		"From: <sip:alice@example.com>;tag=xyz",
		"To: <sip:bob@example.com>;tag=uvw",
		"Call-ID: 17@host",
		"Contact: <sip:alice@[::1]:41235>",
		"Record-Route: <sip:f0_-w@127.0.0.12:5060;transport=tcp;lr>",
		"Route: <sip:other@127.0.0.12;lr>",
		"Route: <sip:f0_-w@127.0.0.12:5060;transport=tcp;lr>",
		"Route: <sip:servera.example.com;lr>",
		"SIP-ETag: e-1",
		`Authorization: Digest nonce="n1", cnonce="c1", nc=00000002, response="0123456789abcdef0123456789abcdef"`,
		"o=alice 2211 2212 IN IP4 127.0.0.12",
		"o=alice 2211 2211 IN IP4 127.0.0.12",
		"m=message 41234 TCP/MSRP *",
		"a=path:msrp://127.0.0.12:41234/s1;tcp",
		"RSeq: 4711",
		"RAck: 4711 3 INVITE",
		"Content-Type: multipart/mixed;boundary=f00",
		"--f00",
		"--f00--",
		`<source publication="ABC"/>`,
		"MSRP d93+swow SEND",
		"-------d93+swow+",
		"2008-10-15T09:00:00.123Z",
		"From: <sip:bob@example.com>;tag=uvw",
	}, "\r\n")
	want := strings.Join([]string{
		"SUBSCRIBE sip:bob@127.0.0.12:port1 SIP/2.0",
		"Via: SIP/2.0/TLS servera.example.com:5061;branch=branch1;rport",
		"From: <sip:alice@example.com>;tag=tag1",
		"To: <sip:bob@example.com>;tag=tag2",
		"Call-ID: call1",
		"Contact: <sip:alice@[::1]:port2>",
		"Record-Route: <sip:flow1@127.0.0.12:5060;transport=tcp;lr>",
		"Route: <sip:flow2@127.0.0.12;lr>",
		"Route: <sip:flow1@127.0.0.12:5060;transport=tcp;lr>",
		"Route: <sip:servera.example.com;lr>",
		"SIP-ETag: etag1",
		`Authorization: Digest nonce="nonce1", cnonce="nonce2", nc=count1, response="response1"`,
		"o=alice description1 description2 IN IP4 127.0.0.12",
		"o=alice description1 description1 IN IP4 127.0.0.12",
		"m=message port1 TCP/MSRP *",
		"a=path:msrp://127.0.0.12:port1/session1;tcp",
		"RSeq: rseq1",
		"RAck: rseq1 3 INVITE",
		"Content-Type: multipart/mixed;boundary=boundary1",
		"--boundary1",
		"--boundary1--",
		`<source publication="publication1"/>`,
		"MSRP transaction1 SEND",
		"-------transaction1+",
		"time1",
		"From: <sip:bob@example.com>;tag=tag2",
	}, "\r\n")
	r := NewRenamer()
	if got := r.Rename(in); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := r.Rename("x;tag=new;tag=xyz"); got != "x;tag=tag3;tag=tag1" {
		t.Errorf("a later text: %s", got)
	}
}
