package trace

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestCaptureReadsBack: our own captures hold the same messages, names, times
// and transports included.
func TestCaptureReadsBack(t *testing.T) {
	b := im()
	b.hop(SIP, "UDP", "server-a", "server-b", request("OPTIONS", "sip:x", 3, "x"))
	messages := Pair(b.records)
	var file bytes.Buffer
	if err := WritePcapng(&file, messages); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCapture(&file)
	if err != nil {
		t.Fatal(err)
	}
	again := c.Messages()
	if len(again) != len(messages) {
		t.Fatalf("%d messages, want %d:\n%s", len(again), len(messages), strings.Join(tell(again), "\n"))
	}
	for i, want := range messages {
		got := again[i]
		// A capture knows what passed, not who recorded it.
		want.Sent, want.Received, want.Lost = nil, nil, false
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestForeignCapture reads a capture as dumpcap makes it: Ethernet, the classic
// format, segments of any size, twice, out of order, without our comments.
func TestForeignCapture(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	messages := Pair(im().records)
	src, dst := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:5060")
	var all []byte
	var want []string
	for _, m := range messages {
		all = append(append(all, "\r\n\r\n"...), m.Raw...)
		want = append(want, src.String()+" > "+dst.String()+": "+m.StartLine)
	}
	type piece struct {
		seq  uint32
		data []byte
	}
	first := uint32(0xffffff00) // wraps around soon
	var pieces []piece
	for at := 0; at < len(all); {
		n := min(1+rnd.IntN(400), len(all)-at)
		pieces = append(pieces, piece{first + 1 + uint32(at), all[at : at+n]})
		if rnd.IntN(3) == 0 {
			pieces = append(pieces, pieces[rnd.IntN(len(pieces))])
		}
		at += n
	}
	for i := range len(pieces) - 1 {
		if rnd.IntN(4) == 0 {
			pieces[i], pieces[i+1] = pieces[i+1], pieces[i]
		}
	}
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	write := func(tcp layers.TCP, data []byte) {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
		tcp.SrcPort, tcp.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
		_ = tcp.SetNetworkLayerForChecksum(ip)
		buf := gopacket.NewSerializeBuffer()
		eth := &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4}
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, &tcp, gopacket.Payload(data)); err != nil {
			t.Fatal(err)
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}
		if err := w.WritePacket(info, buf.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	write(layers.TCP{SYN: true, Seq: first}, nil)
	write(layers.TCP{SYN: true, Seq: first}, nil)
	for _, p := range pieces {
		write(layers.TCP{ACK: true, Seq: p.seq}, p.data)
	}
	c, err := ReadCapture(&file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Messages() {
		got = append(got, m.From+" > "+m.To+": "+m.StartLine)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seed %d (-want +got):\n%s", seed, diff)
	}
}

func TestDatagramsSeenTwice(t *testing.T) {
	b := newBed()
	raw := request("OPTIONS", "sip:x", 1, "x")
	for range 2 {
		b.hop(SIP, "UDP", "server-a", "server-b", raw)
	}
	messages := Pair(b.records)
	messages[1].Time = messages[0].Time.Add(100 * time.Microsecond)
	retransmission := messages[0]
	retransmission.Time = messages[0].Time.Add(500 * time.Millisecond)
	var file bytes.Buffer
	if err := WritePcapng(&file, append(messages, retransmission)); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCapture(&file)
	if err != nil || len(c.Messages()) != 2 {
		t.Errorf("%d messages, want the datagram and its retransmission; %v", len(c.Messages()), err)
	}
}

func TestBrokenCaptures(t *testing.T) {
	var file bytes.Buffer
	if err := WritePcapng(&file, Pair(im().records)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 3, 20, file.Len() - 3} {
		if _, err := ReadCapture(bytes.NewReader(file.Bytes()[:n])); err == nil {
			t.Errorf("the first %d bytes were read without an error", n)
		}
	}
}

// FuzzFramer: however the bytes are split, the same messages come out, and they
// are the input again but for line ends between them.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(request("INVITE", "sip:b@x", 1, "a", sdp(alicePath))+"\r\n\r\n"+send("d93kswow", "x\r\n-------d93kswow")+sent("d93kswow")), uint16(7))
	f.Add([]byte("\x16\x03\x01\x02"), uint16(1))
	f.Add([]byte("MSRP"), uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, step uint16) {
		var whole, parts framer
		want := whole.add(data)
		var got []frame
		for chunk := range slices.Chunk(data, int(step)+1) {
			got = append(got, parts.add(chunk)...)
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages in parts, %d at once", len(got), len(want))
		}
		rest := data
		for i, w := range want {
			if !bytes.Equal(got[i].raw, w.raw) || got[i].protocol != w.protocol {
				t.Fatalf("message %d: %q in parts, %q at once", i, got[i].raw, w.raw)
			}
			rest = bytes.TrimLeft(rest, "\r\n")
			if !bytes.HasPrefix(rest, w.raw) {
				t.Fatalf("message %d is not what comes next: %q", i, w.raw)
			}
			rest = rest[len(w.raw):]
		}
	})
}
