package msrp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/bounded"
)

// crlf turns a frame written as a Go text into wire form.
func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

// The frames of RFC 4975 sections 4, 5.1, 11.1, 11.5 and 11.6; those of
// section 5.1, printed without them there, with their paths.
var rfcFrames = []struct {
	name, wire string
	frame      Frame
	body       string
	flag       Flag
}{
	{"section 4, SEND", `
MSRP a786hjs2 SEND
To-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp
From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp
Message-ID: 87652491
Byte-Range: 1-25/25
Content-Type: text/plain

Hey Bob, are you there?
-------a786hjs2$
`, Frame{Transaction: "a786hjs2", Method: "SEND", HasBody: true, Headers: Headers{
		{"To-Path", "msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp"},
		{"From-Path", "msrp://atlanta.example.com:7654/jshA7weztas;tcp"},
		{"Message-ID", "87652491"}, {"Byte-Range", "1-25/25"}, {"Content-Type", "text/plain"},
	}}, "Hey Bob, are you there?", Last},
	{"section 4, 200", `
MSRP a786hjs2 200 OK
To-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp
From-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp
-------a786hjs2$
`, Frame{Transaction: "a786hjs2", Status: 200, Comment: "OK", Headers: Headers{
		{"To-Path", "msrp://atlanta.example.com:7654/jshA7weztas;tcp"},
		{"From-Path", "msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp"},
	}}, "", Last},
	{"section 5.1, first chunk", `
MSRP dkei38sd SEND
To-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp
From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp
Message-ID: 4564dpWd
Byte-Range: 1-*/8
Content-Type: text/plain

abcd
-------dkei38sd+
`, Frame{Transaction: "dkei38sd", Method: "SEND", HasBody: true, Headers: Headers{
		{"To-Path", "msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp"},
		{"From-Path", "msrp://atlanta.example.com:7654/jshA7weztas;tcp"},
		{"Message-ID", "4564dpWd"}, {"Byte-Range", "1-*/8"}, {"Content-Type", "text/plain"},
	}}, "abcd", More},
	{"section 11.5", `
MSRP d93kswow SEND
To-Path: msrp://alicepc.example.com:8888/9di4eae923wzd;tcp
From-Path: msrp://example.com:7777/iau39soe2843z;tcp
Message-ID: 12339sdqwer
Byte-Range: 1-38/38
Failure-Report: no
Success-Report: no
Content-Type: text/plain

This conference will end in 5 minutes
-------d93kswow$
`, Frame{Transaction: "d93kswow", Method: "SEND", HasBody: true, Headers: Headers{
		{"To-Path", "msrp://alicepc.example.com:8888/9di4eae923wzd;tcp"},
		{"From-Path", "msrp://example.com:7777/iau39soe2843z;tcp"},
		{"Message-ID", "12339sdqwer"}, {"Byte-Range", "1-38/38"},
		{"Failure-Report", "no"}, {"Success-Report", "no"}, {"Content-Type", "text/plain"},
	}}, "This conference will end in 5 minutes", Last},
	{"section 11.6, REPORT", `
MSRP dkei38sd REPORT
To-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp
From-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp
Message-ID: 12339sdqwer
Byte-Range: 1-106/106
Status: 000 200 OK
-------dkei38sd$
`, Frame{Transaction: "dkei38sd", Method: "REPORT", Headers: Headers{
		{"To-Path", "msrp://alicepc.example.com:7777/iau39soe2843z;tcp"},
		{"From-Path", "msrp://bob.example.com:8888/9di4eae923wzd;tcp"},
		{"Message-ID", "12339sdqwer"}, {"Byte-Range", "1-106/106"}, {"Status", "000 200 OK"},
	}}, "", Last},
	{"bodiless SEND", `
MSRP bind0001 SEND
To-Path: msrp://h:1/s;tcp
From-Path: msrp://h:2/t;tcp
Message-ID: 1234
-------bind0001$
`, Frame{Transaction: "bind0001", Method: "SEND", Headers: Headers{
		{"To-Path", "msrp://h:1/s;tcp"}, {"From-Path", "msrp://h:2/t;tcp"}, {"Message-ID", "1234"},
	}}, "", Last},
	{"empty body", `
MSRP empty001 SEND
To-Path: msrp://h:1/s;tcp
From-Path: msrp://h:2/t;tcp
Message-ID: 1234
Byte-Range: 1-0/0
Content-Type: text/plain


-------empty001$
`, Frame{Transaction: "empty001", Method: "SEND", HasBody: true, Headers: Headers{
		{"To-Path", "msrp://h:1/s;tcp"}, {"From-Path", "msrp://h:2/t;tcp"}, {"Message-ID", "1234"},
		{"Byte-Range", "1-0/0"}, {"Content-Type", "text/plain"},
	}}, "", Last},
}

func TestFramesOfTheRFCBothWays(t *testing.T) {
	for _, c := range rfcFrames {
		t.Run(c.name, func(t *testing.T) {
			wire := crlf(c.wire)
			f, body, flag, err := Parse([]byte(wire))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.frame, *f); d != "" {
				t.Errorf("read (-want +got):\n%s", d)
			}
			if string(body) != c.body || flag != c.flag {
				t.Errorf("body %q flag %c, want %q %c", body, flag, c.body, c.flag)
			}
			if got := string(c.frame.Append(nil, []byte(c.body), c.flag)); got != wire {
				t.Errorf("written:\n%q\nwant\n%q", got, wire)
			}
		})
	}
}

func TestBodiesThatLookLikeEnds(t *testing.T) {
	head := "MSRP abcd1234 SEND\r\nTo-Path: msrp://h:1/s;tcp\r\nFrom-Path: msrp://h:2/t;tcp\r\nMessage-ID: 1234\r\nContent-Type: a/b\r\n\r\n"
	for _, body := range []string{
		"-------abcd123$\r\n", "\r\n-------abcd1235$\r\n", "\r\n-------abcd1234", "\r\n-------abcd1234$\r", "\r\n-------abcd1234$x\r\n",
		"\r\n-------abcd1234%\r\n", "\r\r\n", "\r\n\r\n", "\r", "\n", "-------", "\r\n------", "-------abcd1234\r\n", "x-------abcd1234$\r\n",
		"\r\n-------abcd1234\r\n-------abcd1234\r\n-------abcd1234$$",
	} {
		_, got, flag, err := Parse([]byte(head + body + "\r\n-------abcd1234+\r\n"))
		if err != nil || string(got) != body || flag != More {
			t.Errorf("body %q read as %q, flag %c, %v", body, got, flag, err)
		}
	}
}

func TestProblemsLeaveTheNextFrameReadable(t *testing.T) {
	good := crlf(rfcFrames[0].wire)
	paths := "To-Path: msrp://h:1/s;tcp\r\nFrom-Path: msrp://h:2/t;tcp\r\n"
	for name, head := range map[string]string{
		"no paths":             "Message-ID: 1234\r\n",
		"two To-Paths":         paths + "To-Path: msrp://h:1/s;tcp\r\nMessage-ID: 1234\r\n",
		"no colon":             paths + "Message-ID\r\n",
		"control character":    paths + "Message-ID: 12\x0034\r\n",
		"bad URI":              "To-Path: sip:bob\r\nFrom-Path: msrp://h:2/t;tcp\r\n",
		"bad Byte-Range":       paths + "Message-ID: 1234\r\nByte-Range: 5-2/1\r\n",
		"no Message-ID":        paths + "Content-Type: a/b\r\n\r\nx\r\n",
		"no Content-Type":      paths + "Message-ID: 1234\r\n\r\nx\r\n",
		"too many fields":      paths + strings.Repeat("X: y\r\n", 100),
		"a field without end":  paths + "X: " + strings.Repeat("y", 100<<10) + "\r\n",
		"too many bytes":       paths + strings.Repeat("X: "+strings.Repeat("y", 500)+"\r\n", 30),
		"another frame's end":  paths + "-------abcd1235$\r\n",
		"Message-ID not ident": paths + "Message-ID: <>\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := NewReader(strings.NewReader("MSRP abcd1234 SEND\r\n"+head+"-------abcd1234$\r\n"+good), Limits{})
			f, err := d.Next()
			if err != nil || f.Problem == nil || f.Transaction != "abcd1234" {
				t.Fatalf("%+v, %v", f, err)
			}
			if f, err = d.Next(); err != nil || f.Problem != nil || f.Transaction != "a786hjs2" {
				t.Fatalf("next: %+v, %v", f, err)
			}
		})
	}
}

func TestWhatCannotBeFramed(t *testing.T) {
	good := crlf(rfcFrames[0].wire)
	for name, c := range map[string]struct {
		wire string
		err  error
	}{
		"nothing":             {"", io.EOF},
		"HTTP":                {"GET / HTTP/1.1\r\n\r\n", ErrFraming},
		"an endless line":     {"MSRP " + strings.Repeat("a", 100<<10), ErrFraming},
		"identifier too long": {"MSRP " + strings.Repeat("a", 33) + " SEND\r\n", ErrFraming},
		"no method":           {"MSRP abcd1234\r\n", ErrFraming},
		"cut in the line":     {"MSRP abc", io.ErrUnexpectedEOF},
		"cut in the head":     {good[:60], io.ErrUnexpectedEOF},
		"cut in the body":     {good[:len(good)-25], io.ErrUnexpectedEOF},
		"cut in the end":      {good[:len(good)-1], io.ErrUnexpectedEOF},
	} {
		d := NewReader(strings.NewReader(c.wire), Limits{})
		_, err := d.Next()
		if err == nil {
			_, err = d.Next()
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	d := NewReader(strings.NewReader(good), Limits{Chunk: 10})
	if _, err := d.Next(); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(d)
	if len(body) != 10 || !errors.Is(err, ErrFraming) {
		t.Errorf("chunk over the limit: %q, %v", body, err)
	}
}

func TestTransactionsNeverEndTheirBody(t *testing.T) {
	draws := []string{"aaaa1111", "bbbb2222", "cccc3333"}
	i := -1
	id := newTransaction([]byte("x-------aaaa1111$ -------bbbb2222"), func() string { i++; return draws[i] })
	if id != "cccc3333" {
		t.Errorf("drew %s", id)
	}
	if a, b := newIdent(), newIdent(); a == b || !isIdent(a) {
		t.Errorf("%q, %q", a, b)
	}
}

// event is what a Reader says about one frame.
type event struct {
	Frame   Frame
	Problem bool
	Body    string
	Flag    Flag
	Raw     string
}

func readAll(src io.Reader, l Limits) (events []event, err error) {
	d := NewReader(src, l)
	for {
		f, err := d.Next()
		if err != nil {
			return events, err
		}
		e := event{Frame: *f, Problem: f.Problem != nil}
		e.Frame.Problem = nil
		var b bytes.Buffer
		_, err = b.ReadFrom(d)
		e.Body, e.Flag = b.String(), d.Flag()
		e.Raw = string(d.Head()) + e.Body + string(d.Tail())
		events = append(events, e)
		if err != nil {
			return events, err
		}
	}
}

// splitReader hands out data in pieces whose sizes pattern gives, in turn.
type splitReader struct {
	data, pattern []byte
	i             int
}

func (s *splitReader) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(s.pattern) > 0 {
		n += int(s.pattern[s.i%len(s.pattern)])
		s.i++
	}
	n = copy(p[:min(n, len(p))], s.data)
	s.data = s.data[n:]
	return n, nil
}

// However the stream is cut, the same frames come out; the frames put
// together again are the stream; and what was understood, written anew, reads
// as it did.
func FuzzReaderSplits(f *testing.F) {
	var stream string
	for _, c := range rfcFrames {
		stream += crlf(c.wire)
		f.Add([]byte(crlf(c.wire)), []byte{0, 3, 250})
	}
	f.Add([]byte(stream), []byte{})
	f.Add([]byte(stream[:len(stream)-3]), []byte{7})
	f.Add([]byte("MSRP abcd SEND\r\nX\r\n\r\n-------abcd$\r\n"+stream), []byte{1, 2})
	f.Fuzz(func(t *testing.T, data, pattern []byte) {
		l := Limits{Head: 512, Headers: 8, Chunk: 1000}
		var whole []event
		var err error
		bounded.Read(t, len(data), func() { whole, err = readAll(bytes.NewReader(data), l) })
		parts, perr := readAll(&splitReader{data: data, pattern: pattern}, l)
		if d := cmp.Diff(whole, parts); d != "" {
			t.Fatalf("the cut matters:\n%s", d)
		}
		if (err == io.EOF) != (perr == io.EOF) || errors.Is(err, ErrFraming) != errors.Is(perr, ErrFraming) {
			t.Fatalf("the cut matters: %v, %v", err, perr)
		}
		var raw strings.Builder
		for _, e := range whole {
			raw.WriteString(e.Raw)
		}
		if !bytes.HasPrefix(data, []byte(raw.String())) || err == io.EOF && raw.Len() != len(data) {
			t.Fatalf("frames are not the stream: %q", raw.String())
		}
		for i, e := range whole {
			if e.Problem || err != io.EOF && i == len(whole)-1 {
				continue
			}
			g, body, flag, err := Parse(e.Frame.Append(nil, []byte(e.Body), e.Flag))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(e.Frame, *g); d != "" || string(body) != e.Body || flag != e.Flag {
				t.Fatalf("written anew it differs: %s", d)
			}
		}
	})
}
