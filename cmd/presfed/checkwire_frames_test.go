package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/programs"
)

// TestCheckWireCutsStreams: where TCP cuts what was written makes no difference to
// what is compared, and nothing of it is passed over.
func TestCheckWireCutsStreams(t *testing.T) {
	for _, tool := range []string{"bash", "dumpcap", "tshark", "text2pcap", "jq"} {
		programs.Need(t, tool, "tshark, jq", "MSRP in a capture, however it is cut")
	}
	var frames []string
	for i, body := range []string{"a\r\n-------tid2$", strings.Repeat("0123456789", 300), "c"} {
		id := fmt.Sprint("tid", i)
		frames = append(frames, "MSRP "+id+" SEND\r\nTo-Path: msrp://127.0.0.1:2855/s;tcp\r\nFrom-Path: msrp://127.0.0.1:40000/t;tcp\r\n"+
			"Message-ID: 12345\r\nContent-Type: text/plain\r\n\r\n"+body+"\r\n-------"+id+"$\r\n")
	}
	whole := strings.Join(frames, "")
	// A connection each: all in one segment, one in each, and cut within each.
	alike := [][]int{{}, {len(frames[0]), len(frames[0] + frames[1])}, {20, len(frames[0]) + 1, len(whole) - 4}}
	line := func(port, i int) string {
		return fmt.Sprintf("127.0.0.1:%d | 127.0.0.1:2855 | MSRP tid%d SEND", port, i)
	}
	for _, tt := range []struct {
		name       string
		cuts       [][]int
		unreported string
		code       int
		says       []string
	}{
		{"alike", alike, "", 0, []string{"9 messages"}},
		{"not reported", alike, line(40000, 2) + "," + line(40002, 1), 1, []string{"only on the wire: " + line(40000, 2), "only on the wire: " + line(40002, 1)}},
		{"not all there", [][]int{{len(whole) - 4, -len(whole)}, {100, -200}}, "", 1, []string{"40000: 155 bytes that are no whole frame", "40001: bytes are missing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "capture"), segments(whole, tt.cuts))
			var reported strings.Builder
			for way := range tt.cuts {
				for i := range frames {
					if !strings.Contains(tt.unreported, line(40000+way, i)) {
						fmt.Fprintf(&reported, `{"type":"message","time":"2026-01-01T00:00:%02dZ","src":"127.0.0.1:%d","dst":"127.0.0.1:2855","start_line":"MSRP tid%d SEND"}`+"\n", i, 40000+way, i)
					}
				}
			}
			write(t, filepath.Join(dir, "reported"), []byte(reported.String()))
			write(t, filepath.Join(dir, "keys"), nil)
			code, out := checkWire(t, os.Args[0], "--compare", dir)
			for _, says := range tt.says {
				if code != tt.code || !strings.Contains(out, says) || strings.Count(out, "\n") > 3 {
					t.Errorf("exit code %d, want %d and %q\n%s", code, tt.code, says, out)
				}
			}
		})
	}
}

// segments is a capture of connections from 40000 on, each cut where it is said; what
// is before a negative cut is left out.
func segments(text string, cuts [][]int) []byte {
	out := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}
	for way, cuts := range cuts {
		at := 0
		for _, to := range append(cuts[:len(cuts):len(cuts)], len(text)) {
			if to < 0 || at == len(text) {
				at = -to
				continue
			}
			payload := text[at:to]
			size := uint32(40 + len(payload))
			for _, n := range []uint32{1767225600, 0, size, size} {
				out = binary.LittleEndian.AppendUint32(out, n)
			}
			out = binary.BigEndian.AppendUint16(append(out, 0x45, 0), uint16(size))
			out = append(out, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
			out = binary.BigEndian.AppendUint16(out, uint16(40000+way))
			out = binary.BigEndian.AppendUint16(out, 2855)
			out = binary.BigEndian.AppendUint32(out, uint32(1+at))
			out = append(out, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0)
			out = append(out, payload...)
			at = to
		}
	}
	return out
}
