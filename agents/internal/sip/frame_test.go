package sip

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/message"
	"presfed/agents/internal/torture"
)

// division is a stream as it is divided, and how it ends.
type division struct {
	Raw      []string
	Problems []string
	End      string
}

func frames(r io.Reader) (out division) {
	c := framer{r: bufio.NewReaderSize(r, 64)}
	for {
		f, err := c.next(message.Limits{HeaderBytes: 1 << 10, Headers: 64, BodyBytes: 1 << 10})
		problem := ""
		if f.problem != nil {
			problem = f.problem.Error()
		}
		if err == nil || len(f.raw) > 0 && errors.Is(err, errUnframed) {
			out.Raw, out.Problems = append(out.Raw, string(f.raw)), append(out.Problems, problem)
		}
		switch {
		case errors.Is(err, errUnframed):
			out.End = "unframed"
			return out
		case err != nil:
			return out // it ends, within a message or not
		}
	}
}

// pieces gives a stream in pieces of those lengths, over and over.
type pieces struct {
	data, lengths []byte
	i             int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(p.lengths) > 0 {
		n += int(p.lengths[p.i%len(p.lengths)])
		p.i++
	}
	n = copy(b[:min(n, len(b))], p.data)
	p.data = p.data[n:]
	return n, nil
}

// FuzzStream: however a stream is cut into segments, the same messages come out, each
// is a piece of it, and one that is taken is written as it is read again.
func FuzzStream(f *testing.F) {
	one := wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 3\r\n") + "abc"
	f.Add([]byte(one+"\r\n\r\n"+one), []byte{})
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "l:\r\n 3\r\n")+"abc"), []byte{0, 40, 3})
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "")+"v=0\r\n"+one), []byte{200})
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "")+"\r\n"+one), []byte{1})
	f.Add([]byte(wireRequest("OPTIONS", "z9hG4bK1", "l: 2000\r\n")+strings.Repeat("x", 2000)+one), []byte{255, 255, 3})
	cases, err := torture.Cases()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.Raw, []byte{31})
	}
	f.Fuzz(cutAnyhow)
}

// Damage to the torture messages, one behind the other, reaches further than bytes
// made up.
func TestDamagedStreams(t *testing.T) {
	cases, err := torture.Cases()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		var stream []byte
		for range 1 + r.IntN(3) {
			one, other := cases[r.IntN(len(cases))].Raw, cases[r.IntN(len(cases))].Raw
			stream = append(stream, torture.Damaged(r, one, other)...)
		}
		if cutAnyhow(t, stream, []byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}); t.Failed() {
			t.Fatalf("%q", stream)
		}
	}
}

func cutAnyhow(t *testing.T, stream, lengths []byte) {
	var whole division
	bounded.Read(t, len(stream), func() { whole = frames(bytes.NewReader(stream)) })
	for name, r := range map[string]io.Reader{
		"bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
		"pieces": &pieces{data: stream, lengths: lengths},
	} {
		if diff := cmp.Diff(whole, frames(r)); diff != "" {
			t.Fatalf("in %s it is not as whole (-):\n%s", name, diff)
		}
	}
	from := string(stream)
	for i, raw := range whole.Raw {
		if whole.Problems[i] != "" {
			continue // cut short to be answered
		}
		at := strings.Index(from, raw)
		if at < 0 {
			t.Fatalf("message %d does not stand in the stream: %q", i, raw)
		}
		from = from[at+len(raw):]
		if m, err := message.Parse([]byte(raw), message.DefaultLimits); err == nil {
			again := frames(bytes.NewReader(message.Bytes(m)))
			if len(again.Raw) != 1 || again.Raw[0] != string(message.Bytes(m)) {
				t.Fatalf("what is written is %d messages: %q", len(again.Raw), message.Bytes(m))
			}
		}
	}
}

// What comes most by a connection: the 200 to a NOTIFY.
func BenchmarkReadFrame(b *testing.B) {
	ok := []byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;rport;branch=z9hG4bKABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n" +
		"From: <sip:bob@example.com>;tag=ABCDEFGHIJKLMNOP\r\nTo: <sip:alice@example.com>;tag=abcdefgh\r\n" +
		"Call-ID: 0123456789abcdef@alice.example.com\r\nCSeq: 17 NOTIFY\r\nContent-Length: 0\r\n\r\n")
	stream := bytes.NewReader(ok)
	r := bufio.NewReader(stream)
	b.SetBytes(int64(len(ok)))
	b.ReportAllocs()
	for b.Loop() {
		stream.Reset(ok)
		if f, err := readFrame(r, message.DefaultLimits); err != nil || len(f.raw) != len(ok) {
			b.Fatal(err)
		}
	}
}
