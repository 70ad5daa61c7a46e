package cpim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/cpim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// RFC 3862 section 5.1.
var example = crlf(`From: MR SANDERS <im:piglet@100akerwood.com>
To: Depressed Donkey <im:eeyore@100akerwood.com>
DateTime: 2000-12-13T13:40:00-08:00
Subject: the weather will be fine today
Subject:;lang=fr beau temps prevu pour aujourd'hui
NS: MyFeatures <mid:MessageFeatures@id.foo.com>
Require: MyFeatures.VitalMessageOption
MyFeatures.VitalMessageOption: Confirmation-requested
MyFeatures.WackyMessageOption: Use-silly-font

Content-type: text/xml; charset=utf-8
Content-ID: <1234567890@foo.com>

<body>
Here is the text of my message.
</body>
`)

// As linphone writes them.
var linphone = crlf(`From: <sip:alice@example.com>
To: <sip:bob@example.com>
DateTime: 2026-11-25T12:00:00Z
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: aWm3wQvPzY
imdn.Disposition-Notification: positive-delivery, negative-delivery, display

Content-Type: text/plain; charset=utf-8
Content-Length: 5

Hello`)

func parse(t *testing.T, raw string) *cpim.Message {
	t.Helper()
	m, err := cpim.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func text(m *cpim.Message, space, name string) string {
	h, _ := m.Get(space, name)
	return h.Text()
}

func TestExample(t *testing.T) {
	m := parse(t, example)
	from, _ := m.Get(cpim.Space, "From")
	a, err := cpim.ParseAddress(from.Value)
	if err != nil || a != (cpim.Address{Name: "MR SANDERS", URI: "im:piglet@100akerwood.com"}) || a.String() != from.Value {
		t.Errorf("From: %+v, %v", a, err)
	}
	var subjects []string
	for h := range m.All(cpim.Space, "Subject") {
		subjects = append(subjects, h.Lang()+": "+h.Text())
	}
	if !slices.Equal(subjects, []string{": the weather will be fine today", "fr: beau temps prevu pour aujourd'hui"}) {
		t.Errorf("subjects %q", subjects)
	}
	if got := text(m, "mid:MessageFeatures@id.foo.com", "WackyMessageOption"); got != "Use-silly-font" {
		t.Errorf("WackyMessageOption: %q", got)
	}
	if got := m.Required(); !slices.Equal(got, []string{"mid:MessageFeatures@id.foo.comVitalMessageOption"}) {
		t.Errorf("required %q", got)
	}
	if m.Content.Get("CONTENT-TYPE") != "text/xml; charset=utf-8" || string(m.Content.Body) != crlf("<body>\nHere is the text of my message.\n</body>\n") {
		t.Errorf("content %+v", m.Content)
	}
	// Nothing of what is written may change on its way.
	if raw, err := m.Marshal(); err != nil || string(raw) != example {
		t.Errorf("written again: %v\n%s", err, raw)
	}
	if m = parse(t, linphone); text(m, "urn:ietf:params:imdn", "Message-ID") != "aWm3wQvPzY" || string(m.Content.Body) != "Hello" {
		t.Errorf("%+v", m)
	}
}

// A prefix is worth what was declared before it (section 3.4).
func TestNamespaces(t *testing.T) {
	const acme = "http://id.acme.widgets/wily-headers/"
	m := parse(t, crlf("a.trap: early\nNS: a <"+acme+">\nNS: b <"+acme+">\na.trap: one\nb.trap: two\ntrap: ours\nNS: <"+acme+">\ntrap: three\nFrom: not ours\n\nContent-Type: text/plain\n\n"))
	var got []string
	for h := range m.All(acme, "trap") {
		got = append(got, h.Text())
	}
	if !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("%q", got)
	}
	if _, ok := m.Get(cpim.Space, "From"); ok {
		t.Error("From of another default namespace is taken for the RFC's")
	}
	if _, ok := m.Get(acme, "Trap"); ok {
		t.Error("names are compared in any case")
	}
}

// What RFC 5438's examples look like, lines that end in LF, folded MIME fields.
func TestLeniency(t *testing.T) {
	m := parse(t, "From: <im:a@b>\nimdn.x: y\nContent-type: text/plain;\n  charset=utf-8\nContent-length: 2\n\nhi")
	if len(m.Headers) != 2 || m.Content.Get("Content-Type") != "text/plain; charset=utf-8" || string(m.Content.Body) != "hi" {
		t.Errorf("%+v", m)
	}
}

func TestEscapes(t *testing.T) {
	for text, written := range map[string]string{
		"plain 'text' \"quoted\"":  "plain 'text' \"quoted\"",
		"a\\b":                     `a\\b`,
		"\b\t\n\r":                 `\b\t\n\r`,
		"\x00\x07\x0b\x0c\x1f\x7f": `\u0000\u0007\u000b\u000c\u001f\u007f`,
		"Übung \U0001f600":         "Übung \U0001f600",
	} {
		if got := cpim.Escape(text); got != written {
			t.Errorf("%q is written %s, want %s", text, got, written)
		}
		if got := cpim.Unescape(written); got != text {
			t.Errorf("%s says %q, want %q", written, got, text)
		}
	}
	for written, text := range map[string]string{
		`\"\'\x\ü`:     `"'xü`,
		`end\`:         "end",
		`\u00e9\u00E9`: "éé",
		`\ud83d\ude00`: "\U0001f600",
		`\ud83d\u0041`: "\ufffdA",
		`\u12`:         "u12",
		`\u+123`:       "u+123",
		`\\u0041`:      `\u0041`,
	} {
		if got := cpim.Unescape(written); got != text {
			t.Errorf("%s says %q, want %q", written, got, text)
		}
	}
	for _, a := range []cpim.Address{{"", "im:a@b"}, {"Pooh Bear", "im:a@b"}, {`A "B" \C`, "im:a@b"}, {"a, b", "im:a@b"}, {" x", "im:a@b"}, {"tab\t", "im:a@b"}} {
		if got, err := cpim.ParseAddress(a.String()); err != nil || !cmp.Equal(got, a) {
			t.Errorf("%q: %+v, %v", a.String(), got, err)
		}
	}
}

func TestDecoded(t *testing.T) {
	for encoding, body := range map[string]string{"": "Grüße", "BINARY": "Grüße", "base64": "R3LD\r\nvMOfZQ==\r\n", "Quoted-Printable": "Gr=C3=BC=\r\n=C3=9Fe"} {
		c := cpim.Content{Fields: []cpim.Field{{"Content-transfer-encoding", encoding}}, Body: []byte(body)}
		if got, err := c.Decoded(); err != nil || string(got) != "Grüße" {
			t.Errorf("%s: %q, %v", encoding, got, err)
		}
	}
	for encoding, body := range map[string]string{"base64": "?", "x-gzip": ""} {
		c := cpim.Content{Fields: []cpim.Field{{"Content-Transfer-Encoding", encoding}}, Body: []byte(body)}
		if got, err := c.Decoded(); err == nil {
			t.Errorf("%s gives %q", encoding, got)
		}
	}
}

func TestRefused(t *testing.T) {
	const tail = "\r\nContent-Type: text/plain\r\n\r\n"
	for name, raw := range map[string]string{
		"nothing":               "",
		"no headers":            "\r\n" + tail,
		"headers alone":         "From: <im:a@b>\r\n",
		"no content":            "From: <im:a@b>\r\n\r\nContent-Type: text/plain\r\n",
		"no Content-Type":       "From: <im:a@b>\r\n\r\nContent-ID: x\r\n\r\n",
		"no colon":              "From\r\n" + tail,
		"no space":              "From:<im:a@b>\r\n" + tail,
		"a space in the name":   "Fr om: x\r\n" + tail,
		"two dots":              "a.b.c: x\r\n" + tail,
		"a folded header":       "Subject: x\r\n y\r\n" + tail,
		"a control":             "Subject: x\x01\r\n" + tail,
		"a tab":                 "Subject: x\ty\r\n" + tail,
		"a CR":                  "Subject: x\ry\r\n" + tail,
		"not UTF-8":             "Subject: \xff\r\n" + tail,
		"a parameter":           "Subject:;lang x\r\n" + tail,
		"an empty parameter":    "Subject:;lang= x\r\n" + tail,
		"a string without end":  "Subject:;x=\"y x\r\n" + tail,
		"MIME without a colon":  "From: <im:a@b>\r\n\r\nContent-Type\r\n\r\n",
		"MIME that begins bent": "From: <im:a@b>\r\n\r\n Content-Type: x\r\n\r\n",
		"many headers":          strings.Repeat("a: b\r\n", 1000) + tail,
		"a long header":         "a: " + strings.Repeat("b", 1<<20) + "\r\n" + tail,
		"a long line":           strings.Repeat("b", 10<<20),
		"many fields":           "From: <im:a@b>\r\n" + tail[:26] + strings.Repeat("a: b\r\n", 1000) + "\r\n",
	} {
		began := time.Now()
		m, err := cpim.Parse([]byte(raw))
		var said *cpim.Error
		if !errors.As(err, &said) || said.What == "" || len(said.Error()) > 200 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: refused after %s", name, took)
		}
	}
	for _, m := range []cpim.Message{
		{},
		{Headers: []cpim.Header{{Name: "From", Value: "x"}}},
		{Headers: []cpim.Header{{Name: "From", Value: "x\r\nTo: y"}}, Content: cpim.Content{Fields: []cpim.Field{{"Content-Type", "text/plain"}}}},
		{Headers: []cpim.Header{{Name: "Fr.om", Value: "x"}}, Content: cpim.Content{Fields: []cpim.Field{{"Content-Type", "text/plain"}}}},
		{Headers: []cpim.Header{{Name: "From", Value: "x"}}, Content: cpim.Content{Fields: []cpim.Field{{"Content-Type", "text/plain\r\n\r\n"}}}},
	} {
		if raw, err := m.Marshal(); err == nil {
			t.Errorf("written: %q", raw)
		}
	}
}

// FuzzMessage: read, write, read is equal, and what is written is its own
// fixed point.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(linphone))
	f.Add([]byte("a.b:;c=d;e=\"f \\\" ; g\" h\n\nContent-Type: x\n y\n\nz"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m *cpim.Message
		var err error
		bounded.Read(t, len(raw), func() { m, err = cpim.Parse(raw) })
		if err != nil {
			return
		}
		written, err := m.Marshal()
		if err != nil {
			t.Fatalf("read, and cannot be written: %v", err)
		}
		again, err := cpim.Parse(written)
		if err != nil || !cmp.Equal(m, again) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
		for _, h := range m.Headers {
			if got := cpim.Unescape(cpim.Escape(h.Text())); got != h.Text() || !utf8.ValidString(got) {
				t.Errorf("%q, then %q", h.Text(), got)
			}
			if a, err := cpim.ParseAddress(h.Value); err == nil {
				if b, err := cpim.ParseAddress(a.String()); err != nil || b != a {
					t.Errorf("%+v, then %+v", a, b)
				}
			}
		}
	})
}
