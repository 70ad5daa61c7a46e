package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestAStrangerIsNotMadeLouder: a datagram in somebody else's name brings her one of at
// most five times its size, whatever is in it, and one as phones write it of less than
// twice.
func TestAStrangerIsNotMadeLouder(t *testing.T) {
	b := federated(t)
	conn, err := net.Dial("udp4", b.servers["a"].Addr("UDP").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	heard, n := make([]byte, 65535), 0
	// factor is by how much an answer is longer than what it is to.
	factor := func(format string, args ...any) (float64, string) {
		n++
		raw := fmt.Sprintf(strings.ReplaceAll(format, "ID", fmt.Sprint(n)), args...)
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		for {
			k, err := conn.Read(heard)
			if err != nil {
				t.Fatalf("%v, to\n%.500s", err, raw)
			}
			if strings.Contains(string(heard[:k]), fmt.Sprintf("branch=z9hG4bK%d;", n)) {
				return float64(k) / float64(len(raw)), raw
			}
		}
	}
	bad := strings.Repeat("\xff", 80)
	worst := 0.0
	for _, method := range []string{"OPTIONS", "SUBSCRIBE", "REGISTER", "INVITE", "MESSAGE", "PUBLISH", "X"} {
		for _, uri := range []string{"sip:a@example.com", "sip:a", "tel:1", bad} {
			for _, vias := range []string{"", "v:" + strings.Repeat("b,", 110) + "b\r\n", strings.Repeat("v:b\r\n", 110)} {
				for _, more := range []string{"", "Route:" + strings.Repeat("a,", 100) + "\r\n", "Require:a\r\n", "Proxy-Require:a\r\n",
					"Record-Route:" + strings.Repeat("a,", 100) + "\r\n", "l:" + bad + "\r\n", bad + "\r\n", "Max-Forwards:0\r\n"} {
					f, raw := factor("%s %s SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bKID;rport\r\n%sf:sip:a@b\r\nt:sip:a\r\ni:ID\r\nCSeq:1 %s\r\n%s\r\n", method, uri, vias, method, more)
					if worst = max(worst, f); f > 5 {
						t.Errorf("%.1f times as long:\n%s\nto\n%s", f, heard[:int(f*float64(len(raw)))], raw)
					}
				}
			}
		}
		if f, raw := factor("%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKID;rport\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=8a7d3f2c\r\n"+
			"To: <sip:bob@example.com>\r\nCall-ID: 0f1e2d3c4b5a69788796a5b4c3d2e1f0-ID\r\nCSeq: 1 %s\r\nContact: <sip:alice@192.0.2.1:5060>\r\nUser-Agent: phone/1.0\r\nContent-Length: 0\r\n\r\n", method, method); f > 2 {
			t.Errorf("%.1f times as long as\n%s", f, raw)
		}
	}
	t.Logf("at most %.1f times", worst)
}
