package message

import "testing"

const inside = "BYE sip:bob@192.0.2.7:5071 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1234567890;rport\r\n" +
	"Max-Forwards: 70\r\n" +
	"Route: <sip:AbCdEfGhIjKlMnOp@192.0.2.2:5060;lr>\r\n" +
	"Route: <sip:QrStUvWxYzAbCdEf@192.0.2.3:5060;lr>\r\n" +
	"From: <sip:alice@example.com>;tag=a1b2c3d4\r\n" +
	"To: <sip:bob@example.com>;tag=e5f6a7b8\r\n" +
	"Call-ID: 3848276298220188511@192.0.2.1\r\n" +
	"CSeq: 2 BYE\r\n" +
	"Contact: <sip:alice@192.0.2.1:5070>\r\n" +
	"User-Agent: a device/1.0\r\n" +
	"Content-Length: 0\r\n\r\n"

const answer = "SIP/2.0 200 OK\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxyz;rport=5060;received=192.0.2.2\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1234567890;rport=5060;received=192.0.2.1\r\n" +
	"From: <sip:alice@example.com>;tag=a1b2c3d4\r\n" +
	"To: <sip:bob@example.com>;tag=e5f6a7b8\r\n" +
	"Call-ID: 3848276298220188511@192.0.2.1\r\n" +
	"CSeq: 2 BYE\r\n" +
	"Contact: <sip:bob@192.0.2.7:5071>\r\n" +
	"Content-Length: 0\r\n\r\n"

// What a server does to a message that it passes on, apart from deciding where to.
func passOn(raw []byte) ([]byte, error) {
	m, err := Parse(raw, DefaultLimits)
	if err != nil {
		return nil, err
	}
	req := Clone(m.(*Request))
	RemoveFirst(req, "Route")
	Set(req, "Max-Forwards", "69")
	Set(req, "Max-Breadth", "60")
	Remove(req, "P-Asserted-Identity")
	attempt := Clone(req)
	Lead(attempt, "Record-Route", "<sip:AbCdEfGhIjKlMnOp@192.0.2.2:5060;lr>")
	Prepend(attempt, "Via", "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxyz;rport")
	return Bytes(attempt), nil
}

func passBack(raw []byte) ([]byte, error) {
	m, err := Parse(raw, DefaultLimits)
	if err != nil {
		return nil, err
	}
	RemoveFirst(m, "Via")
	Remove(m, "P-Preferred-Identity")
	return Bytes(m), nil
}

func BenchmarkPassOn(b *testing.B)   { bench(b, []byte(inside), passOn) }
func BenchmarkPassBack(b *testing.B) { bench(b, []byte(answer), passBack) }

func bench(b *testing.B, raw []byte, pass func([]byte) ([]byte, error)) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pass(raw); err != nil {
			b.Fatal(err)
		}
	}
}
