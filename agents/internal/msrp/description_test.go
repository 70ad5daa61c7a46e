package msrp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"presfed/agents/internal/bounded"
)

// The call flows draft, 4.2.2.3 F2: no session name, and ports that differ.
const draftOffer = `v=0
o=bob 28908457 2890844559 IN IP4 bobpc.example.com
s=
c=IN IP4 bobpc.example.com
t=0 0
m=message 7777 TCP/MSRP *
a=accept-types:text/plain
a=path:msrp://bobpc.example.com:5555/iau39soe2843z;tcp
`

// The call flows draft, 4.2.2.3 F7: blanks where there are none to be.
const draftAnswer = `v=0
o=alice 2890844612 2890844616 IN IP4 alice.example.com
s= -
c=IN IP4 alicepc.example.com
t= 0 0
m=message 8888 TCP/MSRP *
a=accept-types:text/plain
a=path:msrp://alicepc.example.com:12763/kjhd37s2s20w2a;tcp
`

func TestDescriptionsAsTheyAreWritten(t *testing.T) {
	draft := Description{
		User: "bob", ID: 28908457, Version: 2890844559, Host: "bobpc.example.com", Port: 7777, AcceptTypes: []string{"text/plain"},
		Path: Path{{Host: "bobpc.example.com", Port: 5555, Session: "iau39soe2843z", Transport: "tcp"}},
	}
	alice := Description{
		User: "alice", ID: 2890844612, Version: 2890844616, Host: "alicepc.example.com", Port: 8888, AcceptTypes: []string{"text/plain"},
		Path: Path{{Host: "alicepc.example.com", Port: 12763, Session: "kjhd37s2s20w2a", Transport: "tcp"}},
	}
	relayed := Description{
		User: "-", ID: 1, Version: 2, Host: "192.0.2.1", Port: 9, Secure: true, Setup: SetupActive, MaxSize: 65536,
		AcceptTypes: []string{"message/cpim", "text/*", "*"}, AcceptWrappedTypes: []string{"text/plain"},
		Fingerprints: []string{"SHA-1 4A:AD"},
		Path: Path{
			{Secure: true, Host: "relay.example.com", Port: 2855, Session: "r", Transport: "tcp"},
			{Secure: true, Host: "192.0.2.1", Port: 9, Session: "s", Transport: "tcp"},
		},
	}
	for name, c := range map[string]struct {
		text string
		want Description
	}{
		"draft, offer":  {draftOffer, draft},
		"draft, answer": {draftAnswer, alice},
		"line feeds":    {strings.ReplaceAll(crlf(draftOffer), "\r\n", "\n"), draft},
		"no end":        {strings.TrimSuffix(crlf(draftOffer), "\r\n"), draft},
		"blank lines":   {crlf(draftOffer) + "\r\n\r\n", draft},
		"no t=":         {strings.Replace(draftOffer, "t=0 0\n", "", 1), draft},
		"no s=":         {strings.Replace(draftOffer, "s=\n", "", 1), draft},
		"holdconn":      {draftOffer + "a=setup:holdconn\na=connection:new\n", draft}, // RFC 6135 sections 4.2.1 and 4.4
		"everything": {`v=0
o=- 1 2 IN IP4 192.0.2.1
s=x
t=0 0
a=setup:passive
m=audio 5004 RTP/AVP 0
c=IN IP4 192.0.2.7
m=message 9 tcp/tls/msrp *
c=IN IP4 192.0.2.1
a=accept-types:message/cpim  text/* *
a=accept-wrapped-types:text/plain
a=max-size:65536
a=setup:ACTIVE
a=fingerprint:SHA-1 4A:AD
a=sendrecv
a=path:msrps://relay.example.com:2855/r;tcp msrps://192.0.2.1:9/s;tcp
`, relayed},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{c.text, crlf(c.text)} {
				d, err := ParseDescription([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, *d, cmpopts.IgnoreUnexported(Description{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatIsNoDescriptionOfMSRP(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":         {"", ErrNotMSRP},
		"a page":          {"<html></html>", ErrNotSDP},
		"audio":           {"v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 5004 RTP/AVP 0\n", ErrNotMSRP},
		"message by SIP":  {strings.Replace(draftOffer, "TCP/MSRP", "sip", 1), ErrNotMSRP},
		"rejected":        {strings.Replace(draftOffer, "message 7777", "message 0", 1), ErrRejected},
		"no path":         {strings.Replace(draftOffer, "a=path", "a=path-to", 1), ErrNoPath},
		"a SIP path":      {strings.Replace(draftOffer, "a=path:msrp", "a=path:sip", 1), ErrNoPath},
		"empty path":      {strings.Replace(draftOffer, "a=path:msrp://bobpc.example.com:5555/iau39soe2843z;tcp", "a=path:", 1), ErrNoPath},
		"no port in path": {strings.Replace(draftOffer, ":5555", "", 1), ErrNoPath},
		"a path of paths": {draftOffer + "a=path:" + strings.Repeat("msrp://h:1/s;tcp ", 1000), ErrNoPath},
		"too long":        {draftOffer + strings.Repeat("a=x\n", 100_000), ErrNotSDP},
	} {
		if d, err := ParseDescription([]byte(c.text)); !errors.Is(err, c.want) || d != nil {
			t.Errorf("%s: %+v, %v, want %v", name, d, err, c.want)
		}
	}
}

// What is written, to the letter.
func TestDescriptionsWritten(t *testing.T) {
	d := Description{
		User: "alice", ID: 7, Version: 8, Host: "127.0.0.2", Port: 2855, Setup: SetupActpass, AcceptTypes: []string{"text/plain", "message/cpim"},
		Path: Path{{Host: "127.0.0.2", Port: 2855, Session: "abc", Transport: "tcp"}},
	}
	const offer = "v=0\r\no=alice 7 8 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n" +
		"a=accept-types:text/plain message/cpim\r\na=path:msrp://127.0.0.2:2855/abc;tcp\r\na=setup:actpass\r\n"
	if text, err := d.Marshal(); err != nil || string(text) != offer {
		t.Errorf("%v\n%s", err, text)
	}
	theirs, err := ParseDescription([]byte("v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 5004 RTP/AVP 0 8\nm=message 9 TCP/MSRP *\na=accept-types:*\na=path:msrp://h:9/s;tcp\na=setup:actpass\nm=video 5006 RTP/AVP 31\n"))
	if err != nil {
		t.Fatal(err)
	}
	d.Host, d.Secure = "2001:db8::2", true
	d.Path[0].Host, d.Path[0].Secure = "2001:db8::2", true
	answer, err := d.Answering(theirs, SetupActive)
	if err != nil {
		t.Fatal(err)
	}
	const want = "v=0\r\no=alice 7 8 IN IP6 2001:db8::2\r\ns=-\r\nc=IN IP6 2001:db8::2\r\nt=0 0\r\nm=audio 0 RTP/AVP 0 8\r\n" +
		"m=message 2855 TCP/TLS/MSRP *\r\na=accept-types:text/plain message/cpim\r\na=path:msrps://[2001:db8::2]:2855/abc;tcp\r\na=setup:active\r\nm=video 0 RTP/AVP 31\r\n"
	if text, err := answer.Marshal(); err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	theirs.AcceptTypes = []string{"image/png"}
	if _, err := d.Answering(theirs, ""); !errors.Is(err, ErrNoCommonType) {
		t.Errorf("nothing in common: %v", err)
	}
}

// RFC 6135 section 4.2 and RFC 4975 section 8.5: who connects.
func TestWhoConnects(t *testing.T) {
	for _, c := range []struct {
		offer, wish, answer Setup
		offerer             Role
	}{
		{SetupActpass, "", SetupPassive, Active},
		{SetupActpass, SetupPassive, SetupPassive, Active},
		{SetupActpass, SetupActive, SetupActive, Passive},
		{SetupActive, SetupActive, SetupPassive, Active},
		{SetupActive, "", SetupPassive, Active},
		{SetupPassive, "", SetupActive, Passive},
		{"", SetupActive, SetupPassive, Active}, // the offerer knows RFC 4975 only
	} {
		answer := AnswerSetup(c.offer, c.wish)
		if answer != c.answer || RoleOfOfferer(c.offer, answer) != c.offerer || RoleOfAnswerer(c.offer, answer) == c.offerer {
			t.Errorf("%+v: answer %q, offerer %v", c, answer, RoleOfOfferer(c.offer, answer))
		}
	}
	// An answerer that knows RFC 4975 only.
	for _, offer := range []Setup{SetupActpass, SetupActive, ""} {
		if RoleOfOfferer(offer, "") != Active {
			t.Errorf("offer %q, answer without setup: the offerer has to connect", offer)
		}
	}
}

func TestAcceptTypes(t *testing.T) {
	for _, c := range []struct {
		list string
		typ  string
		want bool
	}{
		{"text/plain", "text/plain", true},
		{"text/plain", "Text/Plain; charset=utf-8", true},
		{"text/plain;charset=utf-8", "text/plain", true},
		{"text/plain", "text/html", false},
		{"text/*", "text/html", true},
		{"text/*", "texture/html", false},
		{"image/png *", "anything/else", true},
		{"", "anything/else", true},
	} {
		if got := accepts(strings.Fields(c.list), c.typ); got != c.want {
			t.Errorf("%q takes %s: %t", c.list, c.typ, got)
		}
	}
}

// What a description says is said again when it is written and read, and
// nothing in it breaks out of its line.
func FuzzParseDescription(f *testing.F) {
	f.Add([]byte(draftOffer))
	f.Add([]byte(draftAnswer))
	f.Add([]byte(strings.ReplaceAll(draftOffer, "a=path", "m=audio 1 RTP/AVP 0\na=setup:active\na=max-size:5\na=path")))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d *Description
		var err error
		bounded.Read(t, len(text), func() { d, err = ParseDescription(text) })
		if err != nil {
			if d != nil || !slices.ContainsFunc([]error{ErrNotSDP, ErrNotMSRP, ErrNoPath, ErrRejected}, func(e error) bool { return errors.Is(err, e) }) {
				t.Fatalf("%+v, %v", d, err)
			}
			return
		}
		again, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseDescription(again)
		if err != nil {
			t.Fatalf("%v in\n%s", err, again)
		}
		if len(d.AcceptTypes) == 0 {
			d.AcceptTypes = []string{"*"}
		}
		opts := []cmp.Option{cmpopts.IgnoreUnexported(Description{}), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Description{}, "User", "Host")}
		if diff := cmp.Diff(*d, *e, opts...); diff != "" {
			t.Fatalf("%s\nin\n%s", diff, again)
		}
	})
}
