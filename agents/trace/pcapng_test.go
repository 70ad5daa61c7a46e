package trace

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/wire"
	"presfed/agents/programs"
)

// decode writes messages to a capture and returns what tshark shows of the
// fields, a line a message.
func decode(t *testing.T, messages []Message, filter string, fields ...string) []string {
	t.Helper()
	tshark := programs.Need(t, "tshark", "tshark", "captures that we write")
	var b bytes.Buffer
	if err := WritePcapng(&b, messages); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "t.pcapng")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", path, "-Y", filter, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tshark, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, said.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func TestTsharkDecodesEveryMessage(t *testing.T) {
	b := im()
	b.addr["v6"] = netip.MustParseAddrPort("[::1]:5060")
	b.addr["v6-phone"] = netip.MustParseAddrPort("[::1]:45000")
	b.hop(SIP, "UDP", "v6", "v6-phone", request("OPTIONS", "sip:phone@example.com", 1, "x.example.com"))
	b.hop(SIP, "UDP", "v6-phone", "v6", response("200 OK", "OPTIONS", 1))
	messages := Pair(b.records)

	got := decode(t, messages, "sip or msrp", "ip.src", "ipv6.src", "tcp.srcport", "udp.srcport", "ip.dst", "ipv6.dst",
		"sip.Request-Line", "sip.Status-Line", "sip.Call-ID", "sip.CSeq", "msrp.transaction.id")
	var want []string
	for _, m := range messages {
		src4, src6, dst4, dst6 := m.Src.Addr().String(), "", m.Dst.Addr().String(), ""
		if m.Src.Addr().Is6() {
			src4, src6, dst4, dst6 = "", src4, "", dst4
		}
		tcp, udp := fmt.Sprint(m.Src.Port()), ""
		if m.Transport == "UDP" {
			tcp, udp = "", tcp
		}
		start := [2]string{}
		if m.Protocol == SIP && m.Status == 0 {
			start[0] = m.StartLine
		} else if m.Protocol == SIP {
			start[1] = m.StartLine
		}
		want = append(want, strings.Join([]string{src4, src6, tcp, udp, dst4, dst6, start[0], start[1], m.CallID, m.CSeq, m.Transaction}, "|"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tshark (-want +got):\n%s", diff)
	}
}

func TestTsharkFindsNothingWrong(t *testing.T) {
	bad := decode(t, Pair(im().records), "_ws.malformed or tcp.analysis.flags or tcp.checksum.status == 0", "frame.number", "_ws.expert.message")
	if diff := cmp.Diff([]string{""}, bad); diff != "" {
		t.Errorf("frames that tshark complains about (-want +got):\n%s", diff)
	}
}

func TestTsharkJoinsALongMessage(t *testing.T) {
	b := newBed()
	long := sdp(alicePath) + strings.Repeat("a=x-filler:0123456789\r\n", 9000)
	b.sip("server-a", "server-b", request("INVITE", "sip:bob@serverb.example.com", 1, "a", "Content-Type: application/sdp", long))
	b.sip("server-b", "server-a", response("200 OK", "INVITE", 1))
	got := decode(t, Pair(b.records), "sip", "sip.Method", "sip.Status-Code", "sip.Content-Length")
	want := []string{fmt.Sprintf("INVITE||%d", len(long)), "|200|0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPcapngSaysWho(t *testing.T) {
	got := decode(t, Pair(im().records), "sip.Status-Code == 200 or msrp", "frame.comment")
	want := []string{
		"server-a to alice-pc, TCP", "bob-pc to server-b, TCP", "server-b to server-a, TLS",
		"server-a to alice-pc, TCP, recorded at one end only", "alice-pc to bob-pc, TCP", "bob-pc to alice-pc, TCP",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPcapngTakesAnyAddress(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:2")
	var records []Record
	for _, pair := range [][2]netip.AddrPort{{v4, v6}, {v6, v4}, {{}, v4}, {{}, v6}, {{}, {}}, {netip.MustParseAddrPort("[::]:5"), v4}, {netip.MustParseAddrPort("[fe80::1%lo]:5"), v6}} {
		records = append(records, Record{Participant: "x", Direction: wire.Out, Protocol: SIP, Transport: "UDP", Src: pair[0], Dst: pair[1], Raw: []byte("OPTIONS sip:x SIP/2.0\r\n\r\n")})
	}
	var b bytes.Buffer
	if err := WritePcapng(&b, Pair(records)); err != nil {
		t.Fatal(err)
	}
}
