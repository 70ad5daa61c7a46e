package trace

import (
	"io"
	"net/netip"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Pcapng writes messages as a capture that Wireshark and tshark decode without
// further options: each as IP packets of its own that were never sent, in clear
// even where it crossed the wire under TLS, between the addresses and ports that
// its sockets had. Every packet's comment says who sent it to whom.
type Pcapng struct {
	out     *pcapgo.NgWriter
	packets *packets
}

// NewPcapng begins a capture on w; the caller closes w.
func NewPcapng(w io.Writer) (*Pcapng, error) {
	out, err := pcapgo.NewNgWriterInterface(w, pcapgo.NgInterface{
		Name:                "presfed",
		Description:         "SIP and MSRP messages as their endpoints saw them, in packets made up for them",
		LinkType:            layers.LinkTypeRaw,
		TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: captureApplication}})
	if err != nil {
		return nil, err
	}
	return &Pcapng{out: out, packets: newPackets()}, out.Flush()
}

// captureApplication marks captures as ours.
const captureApplication = "presfed"

// Write adds messages and flushes, so that whoever reads w sees them.
func (p *Pcapng) Write(messages []Message) error {
	for i := range messages {
		m := &messages[i]
		packets, err := p.packets.of(m)
		if err != nil {
			return err
		}
		for _, data := range packets {
			info := gopacket.CaptureInfo{Timestamp: m.Time, CaptureLength: len(data), Length: len(data)}
			options := pcapgo.NgPacketOptions{Comments: []string{comment(m)}}
			if err := p.out.WritePacketWithOptions(info, data, options); err != nil {
				return err
			}
		}
	}
	return p.out.Flush()
}

// WritePcapng writes a whole capture.
func WritePcapng(w io.Writer, messages []Message) error {
	p, err := NewPcapng(w)
	if err != nil {
		return err
	}
	return p.Write(messages)
}

func comment(m *Message) string {
	s := m.From + " to " + m.To + ", " + strings.ToUpper(m.Transport)
	if m.Lost {
		s += ", recorded at one end only"
	}
	return s
}

// maxSegment fits an IPv4 and an IPv6 packet with its headers.
const maxSegment = 65000

// packets makes packets of messages; it keeps the sequence numbers of the
// connections.
type packets struct {
	next map[connKey]uint32 // sequence number of the next byte that src sends to dst
}

type connKey struct{ src, dst netip.AddrPort }

func newPackets() *packets { return &packets{next: map[connKey]uint32{}} }

// of is the packets of one message; the first on a connection has a handshake
// before it.
func (p *packets) of(m *Message) ([][]byte, error) {
	key := connKey{addressed(m.Src, m.Dst), addressed(m.Dst, m.Src)}
	if strings.EqualFold(m.Transport, "UDP") && len(m.Raw) <= maxSegment {
		data, err := packet(key, &layers.UDP{SrcPort: layers.UDPPort(key.src.Port()), DstPort: layers.UDPPort(key.dst.Port())}, m.Raw)
		return [][]byte{data}, err
	}
	var out [][]byte
	add := func(key connKey, tcp layers.TCP, payload []byte) error {
		back := connKey{key.dst, key.src}
		tcp.SrcPort, tcp.DstPort = layers.TCPPort(key.src.Port()), layers.TCPPort(key.dst.Port())
		tcp.Seq, tcp.Ack, tcp.Window = p.next[key], p.next[back], 65535
		if !tcp.ACK {
			tcp.Ack = 0
		}
		data, err := packet(key, &tcp, payload)
		p.next[key] += uint32(len(payload))
		if tcp.SYN {
			p.next[key]++
		}
		out = append(out, data)
		return err
	}
	if _, open := p.next[key]; !open {
		back := connKey{key.dst, key.src}
		p.next[key], p.next[back] = 0, 0
		if err := add(key, layers.TCP{SYN: true}, nil); err != nil {
			return nil, err
		}
		if err := add(back, layers.TCP{SYN: true, ACK: true}, nil); err != nil {
			return nil, err
		}
		if err := add(key, layers.TCP{ACK: true}, nil); err != nil {
			return nil, err
		}
	}
	for rest := m.Raw; len(rest) > 0; {
		n := min(maxSegment, len(rest))
		if err := add(key, layers.TCP{ACK: true, PSH: n == len(rest)}, rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return out, nil
}

// addressed makes an unknown address one of the other side's family.
func addressed(addr, other netip.AddrPort) netip.AddrPort {
	ip := addr.Addr().Unmap().WithZone("")
	peer := other.Addr().Unmap()
	switch {
	case !ip.IsValid() && peer.Is6():
		ip = netip.IPv6Unspecified()
	case !ip.IsValid():
		ip = netip.IPv4Unspecified()
	case ip.IsUnspecified() && ip.Is6() && peer.Is4():
		ip = netip.IPv4Unspecified()
	case ip.Is4() && peer.Is6():
		ip = netip.AddrFrom16(ip.As16())
	}
	return netip.AddrPortFrom(ip, addr.Port())
}

// transportLayer is UDP or TCP.
type transportLayer interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

func packet(key connKey, transport transportLayer, payload []byte) ([]byte, error) {
	protocol := layers.IPProtocolTCP
	if _, ok := transport.(*layers.UDP); ok {
		protocol = layers.IPProtocolUDP
	}
	src, dst := key.src.Addr(), key.dst.Addr()
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	}
	if src.Is4() && dst.Is4() {
		ip = &layers.IPv4{Version: 4, TTL: 64, Flags: layers.IPv4DontFragment, Protocol: protocol, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	} else {
		s, d := src.As16(), dst.As16()
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: s[:], DstIP: d[:]}
	}
	if err := transport.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, err
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, transport, gopacket.Payload(payload))
	return buf.Bytes(), err
}
