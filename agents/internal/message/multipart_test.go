package message

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/bounded"
	"presfed/agents/programs"
)

func lines(s ...string) []byte { return []byte(strings.Join(s, "\r\n")) }

// RFC 3959 figure 3, shortened: two descriptions.
var earlyOffer = lines("a preamble", "--boundary1", "Content-Type: application/sdp", "Content-Disposition: session", "",
	"v=0", "m=audio 30000 RTP/AVP 0", "", "--boundary1", "content-type: Application/SDP;x=1", "CONTENT-DISPOSITION: Early-Session; handling=optional",
	"Content-ID: <two@a>", "", "v=0", "m=audio 30002 RTP/AVP 0", "", "--boundary1--", "an epilogue")

func TestParts(t *testing.T) {
	type part struct {
		Type, Disposition, ID, Body string
		Required                    bool
	}
	both := []part{
		{"application/sdp", "session", "", "v=0\r\nm=audio 30000 RTP/AVP 0\r\n", true},
		{"application/sdp", "early-session", "two@a", "v=0\r\nm=audio 30002 RTP/AVP 0\r\n", false},
	}
	for name, test := range map[string]struct {
		contentType string
		body        []byte
		want        []part
		status      int // of the error
		says        string
	}{
		"two":                 {`Multipart/Mixed; boundary="boundary1"`, earlyOffer, both, 0, ""},
		"no closing boundary": {"multipart/mixed;boundary=boundary1", earlyOffer[:strings.LastIndex(string(earlyOffer), "--boundary1--")], both, 0, ""},
		"no fields":           {"multipart/mixed;boundary=b", lines("--b", "", "hello", "--b--"), []part{{"text/plain", "", "", "hello", true}}, 0, ""},
		"no body":             {"multipart/mixed;boundary=b", lines("--b", "Content-Type: a/b", "", "", "--b--"), []part{{"a/b", "", "", "", true}}, 0, ""},
		"not undone": {"multipart/mixed;boundary=b", lines("--b", "Content-Transfer-Encoding: quoted-printable", "", "=41", "--b--"),
			[]part{{"text/plain", "", "", "=41", true}}, 0, ""},
		"no boundary parameter": {"multipart/mixed", earlyOffer, nil, 400, "boundary"},
		"another boundary":      {"multipart/mixed;boundary=b2", earlyOffer, nil, 400, "no part"},
		"too long a boundary":   {"multipart/mixed;boundary=" + strings.Repeat("b", 71), earlyOffer, nil, 400, "boundary"},
		"no parts":              {"multipart/mixed;boundary=b", lines("--b--"), nil, 400, "no part"},
		"empty":                 {"multipart/mixed;boundary=b", nil, nil, 400, "no part"},
		"not multipart":         {"application/sdp;boundary=b", earlyOffer, nil, 400, "multipart"},
		"no media type":         {"multipart/mixed;boundary=b;boundary=c", earlyOffer, nil, 400, "multipart"},
		"no field":              {"multipart/mixed;boundary=b", lines("--b", "nothing", "", "x", "--b--"), nil, 400, "part 1"},
		"cut in the fields":     {"multipart/mixed;boundary=b", lines("--b", "Content-Type: a/b"), nil, 400, "part"},
		"too many parts":        {"multipart/mixed;boundary=b", lines("--b", "", "1", "--b", "", "2", "--b", "", "3", "--b--"), nil, 413, "2 parts"},
		"too large a part":      {"multipart/mixed;boundary=b", lines("--b", "", strings.Repeat("x", 101), "--b--"), nil, 413, "100 bytes"},
		"too many fields":       {"multipart/mixed;boundary=b", lines("--b", "A: 1", "B: 1", "C: 1", "D: 1", "", "x", "--b--"), nil, 413, "3 fields"},
	} {
		t.Run(name, func(t *testing.T) {
			parts, err := ParseParts(test.contentType, test.body, PartLimits{Parts: 2, Headers: 3, Bytes: 100})
			var got []part
			for _, p := range parts {
				got = append(got, part{p.Type(), p.Disposition(), p.ID(), string(p.Body), p.Required()})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var refused *ParseError
			if errors.As(err, &refused) != (test.status != 0) || refused != nil && (refused.Status != test.status || !strings.Contains(refused.Error(), test.says)) {
				t.Errorf("error %v, want %d %s", err, test.status, test.says)
			}
		})
	}
}

func writtenParts(t testing.TB) (contentType string, body []byte) {
	t.Helper()
	contentType, body, err := WriteParts([]Part{
		NewPart([]byte("<list/>"), "Content-Type", "application/rlmi+xml", "Content-ID", "<one@a>"),
		NewPart([]byte("--b\r\nx\r\n"), "Content-Type", "text/plain"),
		NewPart(nil, "Content-Type", "a/b"),
	}, "related", map[string]string{"type": "application/rlmi+xml", "start": "<one@a>"})
	if err != nil {
		t.Fatal(err)
	}
	return contentType, body
}

func TestPartsComeBackAsTheyWereWritten(t *testing.T) {
	contentType, body := writtenParts(t)
	if !IsMultipart(contentType) || !strings.Contains(contentType, `start="<one@a>"`) || !strings.Contains(string(body), "\r\nContent-Id: <one@a>\r\n") {
		t.Errorf("%s\n%s", contentType, body)
	}
	parts, err := ParseParts(contentType, body, DefaultPartLimits)
	if err != nil || len(parts) != 3 {
		t.Fatal(parts, err)
	}
	if parts[0].ID() != "one@a" || string(parts[0].Body) != "<list/>" || string(parts[1].Body) != "--b\r\nx\r\n" || len(parts[2].Body) != 0 {
		t.Errorf("%q", parts)
	}
	if _, _, err := WriteParts(nil, "not a token", nil); err == nil {
		t.Error("a subtype that cannot be")
	}
}

// Python's email package shares no code with ours.
func TestPartsAsAnotherReadsThem(t *testing.T) {
	python := programs.Need(t, "python3", "python3", "that another program reads our multipart bodies")
	contentType, body := writtenParts(t)
	cmd := exec.Command(python, "-c", `
import sys, email, email.policy
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
print(m.get_content_type(), m.get_param("start"), m.defects)
for p in m.iter_parts(): print(p.get_content_type(), p["Content-ID"], p.get_payload(decode=True), p.defects)
`)
	cmd.Stdin = strings.NewReader("MIME-Version: 1.0\r\nContent-Type: " + contentType + "\r\n\r\n" + string(body))
	out, err := cmd.Output()
	want := "multipart/related <one@a> []\napplication/rlmi+xml <one@a> b'<list/>' []\ntext/plain None b'--b\\r\\nx\\r\\n' []\na/b None b'' []\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, out, want)
	}
}

// What is read within the limits can be written and read again, and is the same.
func FuzzParts(f *testing.F) {
	f.Add("multipart/mixed;boundary=boundary1", earlyOffer)
	f.Add("multipart/mixed;boundary=b", lines("--b", "", "x", "--b", "A: b", " c", "", "", "--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		limits := PartLimits{Parts: 4, Headers: 4, Bytes: 64}
		var parts []Part
		var err error
		bounded.Read(t, len(contentType)+len(body), func() { parts, err = ParseParts(contentType, body, limits) })
		if err != nil {
			var refused *ParseError
			if !errors.As(err, &refused) {
				t.Fatalf("%T", err)
			}
			return
		}
		if len(parts) == 0 || len(parts) > limits.Parts {
			t.Fatalf("%d parts", len(parts))
		}
		written, again, err := WriteParts(parts, "mixed", nil)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseParts(written, again, limits)
		if err != nil || len(back) != len(parts) {
			t.Fatalf("%d parts came back of %d, %v", len(back), len(parts), err)
		}
		for i := range parts {
			if string(back[i].Body) != string(parts[i].Body) || back[i].Type() != parts[i].Type() {
				t.Fatalf("part %d: %q, was %q", i, back[i], parts[i])
			}
		}
	})
}
