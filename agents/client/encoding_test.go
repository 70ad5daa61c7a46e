package client_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/message"
)

// coded is text after a compressor.
func coded(t *testing.T, text string, by func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := by(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What was encoded is read (RFC 3261 section 20.12), as far as it is known how and
// does not grow too large; linphone deflates its notices.
func TestContentEncoding(t *testing.T) {
	zipped := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	deflated := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	bare := func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f }
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer = client.AnswerBusy })
	large := strings.Repeat("0", 10<<20)
	for _, tt := range []struct {
		encoding, contentType, body string
		status                      int
		event                       string
	}{
		{"deflate", "message/imdn+xml", coded(t, notice, deflated), 200, "notice"},
		{"Deflate", "text/plain", coded(t, "hello", bare), 200, "im"},
		{"gzip", "text/plain", coded(t, "hello", zipped), 200, "im"},
		{"deflate, x-gzip", "text/plain", coded(t, coded(t, "hello", deflated), zipped), 200, "im"},
		{"identity", "text/plain", "hello", 200, "im"},
		{"br", "text/plain", "hello", 415, ""},
		{"identity, identity, identity", "text/plain", "hello", 415, ""},
		{"gzip", "text/plain", "hello", 400, ""},
		{"gzip", "text/plain", coded(t, "hello", zipped)[:20], 400, ""},
		{"deflate", "text/plain", coded(t, large, deflated), 413, ""},
		{"gzip, gzip", "text/plain", coded(t, coded(t, large, zipped), zipped), 413, ""},
	} {
		req := page(tt.contentType, "", "Content-Encoding", tt.encoding)
		message.SetBody(req, tt.contentType, []byte(tt.body))
		res := f.ask(bob, req)
		if res.StatusCode != tt.status {
			t.Errorf("%s of %s: %d, want %d", tt.encoding, tt.contentType, res.StatusCode, tt.status)
		}
		if accept := message.Get(res, "Accept-Encoding"); tt.status == 415 && (accept != "gzip, deflate, identity" || message.Has(res, "Accept")) {
			t.Errorf("415 with Accept-Encoding: %s", accept)
		}
		if tt.event == "" {
			continue
		}
		if e := bob.next(tt.event); tt.event == "im" && e.Text != "hello" {
			t.Errorf("%s: %+v", tt.encoding, e)
		}
	}
	for encoding, status := range map[string]int{"deflate": 486, "br": 415} {
		invite := f.invite(bob, coded(t, offer, deflated))
		message.Add(invite, "Content-Encoding", encoding)
		if res := f.ask(bob, invite); res.StatusCode != status {
			t.Errorf("INVITE in %s: %d, want %d", encoding, res.StatusCode, status)
		}
	}
}
