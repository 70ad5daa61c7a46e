package sip

import (
	"testing"

	"presfed/agents/internal/message"
)

// FuzzPeek: what is seen of a response in place is what the parser reads of it, where
// that takes it.
func FuzzPeek(f *testing.F) {
	const fields = "\r\nVia: SIP/2.0/TLS a.example.com;branch=z9hG4bK1;rport\r\nVia: SIP/2.0/TCP b;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\nCSeq: 7 NOTIFY\r\nContent-Length: 0\r\n\r\n"
	for _, raw := range []string{
		"SIP/2.0 200 OK" + fields, "sip/2.0 489 x" + fields, "SIP/2.0 2000 OK" + fields, "SIP/2.0 -10 x" + fields, "SIP/2.0 +20 x" + fields, "SIP/2.0 200" + fields,
		"SIP/2.0 200 OK\r\nv : SIP/2.0/UDP a ; branch=x;Branch=y\r\ncseq\t:\t7\tNOTIFY \r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=2\r\ni: w\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;x=\";branch=z9hG4bKno\";branch=z9hG4bKyes\r\nCSeq: 7 NOTIFY\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n ;branch=folded\r\nCSeq: 7\r\n NOTIFY\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;Branch=z9hG4bKa;branch=z9hG4bKb\r\nCSeq: 7 NOTIFY\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a, SIP/2.0/UDP b;branch=z9hG4bKb\r\nCSeq: 7 NOTIFY\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: w\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		status, branch, method, ok := peekResponse(raw)
		if !ok {
			return
		}
		if status < 100 || status > 699 {
			t.Errorf("status %d of %q", status, raw)
		}
		m, err := message.Parse(raw, message.DefaultLimits)
		res, is := m.(*message.Response)
		if err != nil || !is {
			return
		}
		via, err := message.TopVia(res)
		if err != nil || res.StatusCode != status || via.Branch() != branch || message.Method(res) != method {
			t.Errorf("seen is %d, %q, %q; read %d, %q, %q, %v: %q", status, branch, method, res.StatusCode, via.Branch(), message.Method(res), err, raw)
		}
	})
}
