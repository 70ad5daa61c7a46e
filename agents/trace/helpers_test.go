package trace

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/wire"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// bed makes records as the sockets of a small bed would: each hop takes a
// millisecond from the sender's write to the receiver's read.
type bed struct {
	records []Record
	now     time.Time
	addr    map[string]netip.AddrPort
}

func newBed() *bed {
	return &bed{
		now: time.Date(2008, 10, 15, 9, 0, 0, 0, time.UTC),
		addr: map[string]netip.AddrPort{
			"alice-pc": netip.MustParseAddrPort("127.0.0.21:40001"), "server-a": netip.MustParseAddrPort("127.0.0.11:5061"),
			"server-b": netip.MustParseAddrPort("127.0.0.12:5061"), "bob-pc": netip.MustParseAddrPort("127.0.0.23:40002"),
		},
	}
}

// hop is one message on its way; drop is the direction that no socket records.
func (b *bed) hop(protocol Protocol, transport, from, to string, raw string, drop ...wire.Direction) {
	r := Record{Protocol: protocol, Transport: transport, Src: b.addr[from], Dst: b.addr[to], Raw: []byte(raw)}
	for _, end := range []struct {
		dir  wire.Direction
		name string
	}{{wire.Out, from}, {wire.In, to}} {
		if len(drop) > 0 && drop[0] == end.dir {
			continue
		}
		r.Direction, r.Participant, r.Time = end.dir, end.name, b.now
		r.Seq = uint64(len(b.records) + 1)
		b.records = append(b.records, r)
		b.now = b.now.Add(time.Millisecond)
	}
}

func (b *bed) sip(from, to, raw string, drop ...wire.Direction) {
	transport := "TLS"
	if strings.HasSuffix(from, "-pc") || strings.HasSuffix(to, "-pc") {
		transport = "TCP"
	}
	b.hop(SIP, transport, from, to, raw, drop...)
}

// request and response write messages of one dialog from Alice to Bob.
func request(method, uri string, cseq int, via string, extra ...string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/TLS %s;branch=z9hG4bK%s%d\r\n", method, uri, via, method, cseq) + common(method, cseq, extra)
}

func response(status string, method string, cseq int, extra ...string) string {
	return fmt.Sprintf("SIP/2.0 %s\r\nv: SIP/2.0/TLS x.example.com;branch=z9hG4bK%s%d\r\n", status, method, cseq) + common(method, cseq, extra)
}

func common(method string, cseq int, extra []string) string {
	body := ""
	if n := len(extra); n > 0 && strings.HasPrefix(extra[n-1], "v=0") {
		extra, body = extra[:n-1], extra[n-1]
	}
	fields := ""
	for _, x := range extra {
		fields += x + "\r\n"
	}
	return fmt.Sprintf("From: \"Alice\" <sip:alice@example.com>;tag=a73kszlfl\r\nTo: <sip:bob@example.com>;tag=gred45\r\n"+
		"Call-ID: 1j9FpLxk3uxtm8tn@example.com\r\nCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s", cseq, method, fields, len(body), body)
}

const (
	alicePath = "msrp://127.0.0.21:7777/iau39soe2843z;tcp"
	bobPath   = "msrp://127.0.0.23:8888/9di4eae923wzd;tcp"
)

func sdp(path string) string {
	return "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=message 7777 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:" + path + "\r\n"
}

func send(transaction, text string) string {
	return "MSRP " + transaction + " SEND\r\nTo-Path: " + bobPath + "\r\nFrom-Path: " + alicePath +
		"\r\nMessage-ID: 87652491\r\nByte-Range: 1-" + fmt.Sprintf("%d/%d", len(text), len(text)) +
		"\r\nContent-Type: text/plain\r\n\r\n" + text + "\r\n-------" + transaction + "$\r\n"
}

func sent(transaction string) string {
	return "MSRP " + transaction + " 200 OK\r\nTo-Path: " + alicePath + "\r\nFrom-Path: " + bobPath + "\r\n-------" + transaction + "$\r\n"
}

// im is a short conversation: a subscription, then an invitation and a message.
func im() *bed {
	b := newBed()
	b.sip("alice-pc", "server-a", request("SUBSCRIBE", "sip:bob@example.com", 1, "alicepc.example.com"))
	b.sip("server-a", "alice-pc", response("200 OK", "SUBSCRIBE", 1))
	b.sip("server-a", "server-b", request("SUBSCRIBE", "sip:bob@serverb.example.com", 1, "servera.example.com", "P-Asserted-Identity: <sip:alice@example.com>"))
	b.sip("server-b", "server-a", response("403 Forbidden", "SUBSCRIBE", 1))
	b.sip("alice-pc", "server-a", request("INVITE", "sip:bob@example.com", 2, "alicepc.example.com", "Content-Type: application/sdp", sdp(alicePath)))
	b.sip("server-a", "server-b", request("INVITE", "sip:bob@serverb.example.com", 2, "servera.example.com", "Content-Type: application/sdp", sdp(alicePath)))
	b.sip("server-b", "bob-pc", request("INVITE", "sip:bob@127.0.0.23:40002", 2, "serverb.example.com", "Content-Type: application/sdp", sdp(alicePath)))
	b.sip("bob-pc", "server-b", response("200 OK", "INVITE", 2, "Content-Type: application/sdp", sdp(bobPath)))
	b.sip("server-b", "server-a", response("200 OK", "INVITE", 2, "Content-Type: application/sdp", sdp(bobPath)))
	b.sip("server-a", "alice-pc", response("200 OK", "INVITE", 2, "Content-Type: application/sdp", sdp(bobPath)), wire.In)
	b.hop(MSRP, "TCP", "alice-pc", "bob-pc", send("d93kswow", "Hello Bob"))
	b.hop(MSRP, "TCP", "bob-pc", "alice-pc", sent("d93kswow"))
	return b
}
