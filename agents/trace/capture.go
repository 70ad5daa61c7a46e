package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// isCapture knows pcapng and the four kinds of pcap by how they begin.
func isCapture(head []byte) bool {
	for _, magic := range []string{"\x0a\x0d\x0d\x0a", "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// ReadCapture reads the SIP and MSRP messages of a pcapng or pcap file: over
// UDP, and over TCP from connections put together again. What is encrypted, or
// begins before the capture does and not with a message, is not seen. In
// captures that Pcapng wrote participants have their names, in others they are
// addresses.
func ReadCapture(r io.Reader) (*Capture, error) {
	in := bufio.NewReader(r)
	head, err := in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	c := &dissector{capture: newCapture(), streams: map[connKey]*stream{}}
	if !bytes.Equal(head, []byte("\x0a\x0d\x0d\x0a")) {
		pcap, err := pcapgo.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		return c.read(func() (packetData, error) {
			data, info, err := pcap.ReadPacketData()
			return packetData{data: data, at: info.Timestamp, link: pcap.LinkType()}, err
		})
	}
	ng, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	ours := ng.SectionInfo().Application == captureApplication
	return c.read(func() (packetData, error) {
		data, info, options, err := ng.ReadPacketDataWithOptions()
		if err != nil {
			return packetData{}, err
		}
		intf, err := ng.Interface(info.InterfaceIndex)
		p := packetData{data: data, at: info.Timestamp, link: intf.LinkType}
		if ours && len(options.Comments) > 0 {
			p.comment = options.Comments[0]
		}
		return p, err
	})
}

type packetData struct {
	data    []byte
	at      time.Time
	link    layers.LinkType
	comment string // of our own captures
}

// dissector finds the messages in packets.
type dissector struct {
	capture *Capture
	streams map[connKey]*stream
	last    map[string]time.Time // datagrams of the last moment, against duplicates
}

func (d *dissector) read(next func() (packetData, error)) (*Capture, error) {
	for n := 1; ; n++ {
		p, err := next()
		if errors.Is(err, io.EOF) {
			return d.capture, nil
		}
		if err != nil {
			return nil, fmt.Errorf("capture: packet %d: %w", n, err)
		}
		d.packet(p)
	}
}

func (d *dissector) packet(p packetData) {
	decoded := gopacket.NewPacket(p.data, p.link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	var src, dst netip.Addr
	switch ip := decoded.NetworkLayer().(type) {
	case *layers.IPv4:
		src, _ = netip.AddrFromSlice(ip.SrcIP)
		dst, _ = netip.AddrFromSlice(ip.DstIP)
	case *layers.IPv6:
		src, _ = netip.AddrFromSlice(ip.SrcIP)
		dst, _ = netip.AddrFromSlice(ip.DstIP)
	default:
		return
	}
	switch t := decoded.TransportLayer().(type) {
	case *layers.UDP:
		key := connKey{netip.AddrPortFrom(src, uint16(t.SrcPort)), netip.AddrPortFrom(dst, uint16(t.DstPort))}
		payload := bytes.TrimLeft(t.Payload, "\r\n")
		if protocol, n, _ := frameLength(payload, 0); protocol == SIP && n > 0 && !d.twice(key, payload, p.at) {
			d.message(key, "UDP", frame{SIP, bytes.Clone(payload)}, p)
		}
	case *layers.TCP:
		key := connKey{netip.AddrPortFrom(src, uint16(t.SrcPort)), netip.AddrPortFrom(dst, uint16(t.DstPort))}
		s := d.streams[key]
		if s == nil {
			s = &stream{}
			d.streams[key] = s
		}
		for _, f := range s.segment(t.Seq, t.SYN, t.Payload) {
			d.message(key, "TCP", f, p)
		}
	}
}

// twice says whether the same datagram was there within the last millisecond:
// the loopback interface shows each packet going out and coming in.
func (d *dissector) twice(key connKey, payload []byte, at time.Time) bool {
	id := key.src.String() + " " + key.dst.String() + " " + string(payload)
	seen, ok := d.last[id]
	for old, when := range d.last {
		if at.Sub(when) > time.Millisecond {
			delete(d.last, old)
		}
	}
	if d.last == nil {
		d.last = map[string]time.Time{}
	}
	d.last[id] = at
	return ok && at.Sub(seen) <= time.Millisecond
}

func (d *dissector) message(key connKey, transport string, f frame, p packetData) {
	m := Message{
		Src: unmapped(key.src), Dst: unmapped(key.dst), Transport: transport, Protocol: f.protocol,
		Time: p.at.UTC(), Raw: f.raw, Head: readHead(f.protocol, f.raw),
	}
	if from, rest, ok := strings.Cut(p.comment, " to "); ok {
		if to, rest, ok := strings.Cut(rest, ", "); ok {
			m.From, m.To = from, to
			m.Transport, _, _ = strings.Cut(rest, ", ")
		}
	}
	d.capture.paired = append(d.capture.paired, m)
}
