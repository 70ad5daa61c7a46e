package msrp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Any frame that may be written reads as it was, behind any other.
func TestGeneratedFramesBothWays(t *testing.T) {
	ident := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}`)
	uri := rapid.StringMatching(`msrps?://([a-z]{1,8}@)?(h[a-z.]{0,8}|\[2001:db8::[0-9]\]|127\.0\.0\.[1-9]):[1-9][0-9]{0,3}/[A-Za-z0-9._~+=/-]{1,20};tcp(;[a-z]{1,4}(=[a-z]{1,4})?)?`)
	text := rapid.StringMatching(`([!-~äßé€][ -~äßé€]{0,30})?[!-~]`)
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		type sent struct {
			f    Frame
			body string
			flag Flag
		}
		var want []sent
		for range rapid.IntRange(1, 4).Draw(t, "frames") {
			var x sent
			x.f.Headers = Headers{{"To-Path", uri.Draw(t, "to") + " " + uri.Draw(t, "to")}, {"From-Path", uri.Draw(t, "from")}}
			for range rapid.IntRange(0, 3).Draw(t, "others") {
				x.f.Headers = append(x.f.Headers, Header{rapid.StringMatching(`X-[A-Za-z]{1,9}`).Draw(t, "name"), text.Draw(t, "value")})
			}
			x.flag = rapid.SampledFrom([]Flag{Last, More, Abort}).Draw(t, "flag")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				x.f.Status, x.f.Comment = rapid.IntRange(100, 999).Draw(t, "status"), text.Draw(t, "comment")
			case 1:
				x.f.Method = rapid.StringMatching(`[A-Z]{1,12}`).Draw(t, "method")
				if x.f.Method == MethodReport || x.f.Method == MethodSend {
					x.f.Headers = append(x.f.Headers, Header{"Message-ID", "1234"}, Header{"Status", "000 200"})
				}
			case 2:
				x.f.Method, x.f.HasBody = MethodSend, true
				x.f.Headers = append(x.f.Headers, Header{"Message-ID", ident.Draw(t, "message")}, Header{"Content-Type", "a/b"})
				x.body = strings.Join(rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\r\n", "-------", "\r", "$"}))).Draw(t, "body"), "")
			}
			x.f.Transaction = newTransaction([]byte(x.body), func() string { return ident.Draw(t, "transaction") })
			stream = x.f.Append(stream, []byte(x.body), x.flag)
			want = append(want, x)
		}
		got, _ := readAll(&splitReader{data: stream, pattern: rapid.SliceOf(rapid.Byte()).Draw(t, "cuts")}, Limits{})
		if len(got) != len(want) {
			t.Fatalf("%d of %d frames in %q", len(got), len(want), stream)
		}
		for i, g := range got {
			if d := cmp.Diff(want[i].f, g.Frame); d != "" || g.Problem || g.Body != want[i].body || g.Flag != want[i].flag {
				t.Fatalf("%s\n%+v", d, g)
			}
		}
	})
}
