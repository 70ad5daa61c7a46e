package sip

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"presfed/agents/internal/message"
)

func frames(r io.Reader) (out []string, err error) {
	br := bufio.NewReaderSize(r, 64)
	for {
		f, err := readFrame(br, message.DefaultLimits)
		if err != nil {
			return out, err
		}
		if !f.blank {
			out = append(out, string(f.raw))
		}
	}
}

// FuzzFrame: however a stream is cut into segments, the same messages come out.
func FuzzFrame(f *testing.F) {
	one := wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 3\r\n") + "abc"
	f.Add([]byte(one + "\r\n\r\n" + one))
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "l:\r\n 3\r\n") + "abc"))
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err := frames(bytes.NewReader(stream))
		for name, cut := range map[string]io.Reader{
			"bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
			"halves": iotest.HalfReader(bytes.NewReader(stream)),
		} {
			got, gotErr := frames(cut)
			if len(got) != len(whole) || errors.Is(err, errUnframed) != errors.Is(gotErr, errUnframed) {
				t.Fatalf("%s: %d messages and %v, whole %d and %v", name, len(got), gotErr, len(whole), err)
			}
			for i := range got {
				if got[i] != whole[i] {
					t.Fatalf("%s: message %d is %q, whole %q", name, i, got[i], whole[i])
				}
			}
		}
	})
}
