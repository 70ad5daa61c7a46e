package message

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/torture"
)

// The readers of this room, each with the same property: what it takes it can write,
// and reads again as the same; nothing costs more than bounded allows.

// much is room for what has grown by being written.
var much = Limits{HeaderBytes: 1 << 20, Headers: 1 << 10, BodyBytes: 1 << 20}

func tortureSeeds(f *testing.F, add func(raw string)) {
	cases, err := torture.Cases()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		add(string(c.Raw))
	}
}

// fieldsOf are the values of a message's fields, as seeds.
func fieldsOf(raw string, names ...string) (out []string) {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head)
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		for _, want := range names {
			if Canonical(strings.TrimSpace(name)) == want {
				out = append(out, strings.TrimSpace(value))
			}
		}
	}
	return out
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(invite))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9\r\nFrom: <sip:a@b>;tag=1\r\nTo: sip:c@d\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"))
	tortureSeeds(f, func(raw string) { f.Add([]byte(raw)) })
	f.Fuzz(readAndWritten)
}

// Damage to the torture messages reaches further than bytes made up.
func TestDamaged(t *testing.T) {
	cases, err := torture.Cases()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2)) // the same each time: a find belongs into testdata/fuzz
	for range 20_000 {
		raw := torture.Damaged(r, cases[r.IntN(len(cases))].Raw, cases[r.IntN(len(cases))].Raw)
		if readAndWritten(t, raw); t.Failed() {
			t.Fatalf("%q", raw)
		}
	}
}

func readAndWritten(t *testing.T, raw []byte) {
	var m Message
	var err error
	bounded.Read(t, len(raw), func() { m, err = Parse(raw, DefaultLimits) })
	if req, ok := m.(*Request); ok && req != nil && err != nil {
		Bytes(NewResponse(req, 400, "", "t")) // whatever is wrong, it can be answered
	}
	if err != nil {
		return
	}
	once := Bytes(m)
	again, err := Parse(once, much)
	if err != nil {
		t.Fatalf("what we wrote is refused: %v\n%q", err, once)
	}
	if string(Bytes(again)) != string(once) {
		t.Fatalf("read and written again it differs:\n%q\n%q", once, Bytes(again))
	}
	req, ok := m.(*Request)
	if !ok {
		return
	}
	res := Bytes(NewResponse(req, 200, "", "t"))
	if back, err := Parse(res, much); err != nil || CallID(back) != CallID(req) || Get(back, "CSeq") != Get(req, "CSeq") {
		t.Fatalf("its response is not one: %v\n%q", err, res)
	}
	if string(Bytes(Clone(req))) != string(once) {
		t.Fatalf("its clone differs:\n%q\n%q", once, Bytes(Clone(req)))
	}
}

func FuzzURI(f *testing.F) {
	tortureSeeds(f, func(raw string) {
		f.Add(strings.SplitN(raw+"  ", " ", 3)[1])
		for _, v := range fieldsOf(raw, "From", "To", "Contact", "Route") {
			if a, err := ParseAddress(v); err == nil {
				f.Add(a.URI.String())
			}
		}
	})
	f.Add("sips:a:b@[::1]:5061;transport=tcp;lr?x=y&z")
	f.Fuzz(func(t *testing.T, s string) {
		var u URI
		var err error
		bounded.Read(t, len(s), func() { u, err = ParseURI(s) })
		if err != nil || u.Wildcard { // which only an Address writes
			return
		}
		again, err := ParseURI(u.String())
		if err != nil {
			t.Fatalf("%q was taken, and is refused as %q: %v", s, u.String(), err)
		}
		if diff := cmp.Diff(u, again, cmpopts.IgnoreUnexported(URI{}), cmpopts.EquateEmpty()); diff != "" || u.Raw() != again.Raw() {
			t.Fatalf("%q is read again as another:\n%s", s, diff)
		}
	})
}

func FuzzAddress(f *testing.F) {
	tortureSeeds(f, func(raw string) {
		for _, v := range fieldsOf(raw, "From", "To", "Contact", "Route", "Record-Route") {
			f.Add(v)
		}
	})
	f.Add(`"a \\\" <b>" <sip:c@d;e=f>;g="h;i";j=k`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n") {
			return // no field holds one
		}
		var a Address
		var err error
		bounded.Read(t, len(s), func() { a, err = ParseAddress(s) })
		if err != nil {
			return
		}
		written := a.String()
		again, err := ParseAddress(written)
		if err != nil {
			t.Fatalf("%q was taken, and is refused as %q: %v", s, written, err)
		}
		if diff := cmp.Diff(a, again, cmpopts.IgnoreUnexported(URI{}), cmpopts.EquateEmpty()); diff != "" && !a.URI.Wildcard {
			t.Fatalf("%q, written %q, is read again as another:\n%s", s, written, diff)
		}
		if !a.URI.Wildcard && len(SplitList(written)) != 1 {
			t.Fatalf("%q is written as several: %q", s, written)
		}
	})
}

func FuzzVia(f *testing.F) {
	tortureSeeds(f, func(raw string) {
		for _, v := range fieldsOf(raw, "Via") {
			f.Add(v)
		}
	})
	f.Fuzz(func(t *testing.T, s string) {
		var v Via
		var err error
		bounded.Read(t, len(s), func() { v, err = ParseVia(s) })
		if err != nil {
			return
		}
		again, err := ParseVia(v.String())
		if err != nil {
			t.Fatalf("%q was taken, and is refused as %q: %v", s, v.String(), err)
		}
		if diff := cmp.Diff(v, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q is read again as another:\n%s", s, diff)
		}
		if len(SplitList(v.String())) != 1 {
			t.Fatalf("%q is written as several: %q", s, v.String())
		}
	})
}
