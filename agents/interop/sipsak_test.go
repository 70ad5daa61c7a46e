package interop

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"presfed/agents/programs"
)

// TestSipsak: sipsak logs in by digest, publishes and sends what it is given in a
// file. It listens for nothing, and its own -M and -U do not get as far: -M crashes,
// -U wants to resolve the domain.
func TestSipsak(t *testing.T) {
	programs.Need(t, "sipsak", "sipsak", "what it does with us")
	everywhere(t, "sipsak", func(t *testing.T, s *servers, transport, other, row string) {
		peer := agent(t, s, other, "alice")
		// Who is reached where sipsak registers her.
		at, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer at.Close()
		x := sipsak{t: t, transport: transport, server: s.home("alice")}

		x.do("REGISTER sip:example.com", "alice", "", fmt.Sprintf("Contact: <sip:alice@%s>", at.LocalAddr()), "Expires: 600")
		peer.tell("page alice@example.com knock")
		datagram := make([]byte, 4096)
		n, _, err := at.ReadFrom(datagram)
		if err != nil || !strings.Contains(string(datagram[:n]), "knock") {
			t.Fatalf("at the registered place: %q, %v", datagram[:n], err)
		}
		matrix.saw(row, registers, "yes")

		x.do("MESSAGE sip:"+other+"@example.com", other, "who is there", "Content-Type: text/plain")
		peer.await(`"type":"im"`, "alice@example.com", "who is there")
		matrix.saw(row, sends, "yes")

		published := x.do("PUBLISH sip:alice@example.com", "alice", `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.com"><tuple id="s"><status><basic>open</basic></status></tuple></presence>`,
			"Event: presence", "Expires: 600", "Content-Type: application/pidf+xml")
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"open"`)
		matrix.saw(row, publishes, "yes")
		_, after, ok := strings.Cut(published, "SIP-ETag: ")
		if !ok {
			t.Fatalf("no entity-tag in\n%s", published)
		}
		etag, _, _ := strings.Cut(after, "\r")
		x.do("PUBLISH sip:alice@example.com", "alice", "", "Event: presence", "Expires: 0", "SIP-If-Match: "+etag)
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"closed"`)
		matrix.saw(row, unpublish, "yes")
		for _, column := range []string{watches, receives} {
			matrix.saw(row, column, cannot)
		}
	})
}

// sipsak is Alice.
type sipsak struct {
	t         *testing.T
	transport string
	server    netip.AddrPort
	sent      int
}

// do has it send a request, with digest, that must be agreed to: what it shows of that.
func (x *sipsak) do(start, to, body string, fields ...string) string {
	x.t.Helper()
	x.sent++
	method, _, _ := strings.Cut(start, " ")
	head := append([]string{
		start + " SIP/2.0", "From: <sip:alice@example.com>;tag=sipsak", "To: <sip:" + to + "@example.com>",
		fmt.Sprintf("Call-ID: %s-%d-%d", method, x.server.Port(), x.sent), "CSeq: 1 " + method, "Max-Forwards: 70",
	}, fields...)
	request := strings.Join(append(head, fmt.Sprintf("Content-Length: %d", len(body))), "\r\n") + "\r\n\r\n" + body
	out, code := once(x.t.Context(), x.t, request, "sipsak", "-f", "-", "-L", "-E", x.transport, "-s", "sip:"+x.server.String(), "-u", "alice", "-a", password("alice"), "-vv")
	if code != 0 || !strings.Contains(out, " 200 OK") {
		x.t.Fatalf("sipsak %s: exit code %d\n%s", method, code, out)
	}
	return out
}
