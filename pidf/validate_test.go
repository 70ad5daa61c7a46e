package pidf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// Each mistake is found where it stands.
func TestValidateFindings(t *testing.T) {
	whole := head + `
<tuple id="t1"><status><basic>open</basic></status><contact priority="0.5">sip:a@b</contact></tuple>
<dm:device id="d"><dm:deviceID>urn:d</dm:deviceID></dm:device>
<dm:person id="p"><rpid:activities><rpid:note>n</rpid:note><rpid:away/></rpid:activities></dm:person>` + tail
	if found, err := Validate([]byte(whole), Limits{}); err != nil || len(found) > 0 {
		t.Fatalf("%v %v", found, err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`id="t1"`, `id="0t"`, `line 5, in presence/tuple: attribute id "0t" (expected a letter or _`},
		{`id="t1"`, `id="p"`, `line 7, in presence/person: the id "p", which line 5 has as well (expected an id of its own`},
		{`<rpid:away/>`, `<rpid:available/>`, `line 7, in presence/person/activities/available: the element available (expected note, then activities`},
		{`<rpid:note>n</rpid:note><rpid:away/>`, `<rpid:away/><rpid:note>n</rpid:note>`, `line 7, in presence/person/activities/note: the element note after away`},
		{`<dm:deviceID>urn:d</dm:deviceID>`, ``, `line 6, in presence/device: no deviceID (expected elements of other namespaces, then deviceID, then note, then timestamp (RFC 4479`},
		{`<dm:person id="p">`, `<dm:person id="p"><rpid:moods/>`, `line 7, in presence/person/moods: moods, which RFC 4480 does not have here (expected an element of RFC 4480`},
		{`<rpid:away/>`, `<rpid:away>far</rpid:away>`, `line 7, in presence/person/activities/away: the text "far" (expected nothing inside`},
		{`<status>`, `<status since="now">`, `line 5, in presence/tuple/status: the attribute since (expected no such attribute (RFC 3863`},
		{`<rpid:away/>`, `<rpid:away/><rpid:unknown/>`, `in presence/person/activities/unknown: the element unknown beside another`},
		{`<rpid:activities>`, `<rpid:activities until="soon">`, `attribute until "soon" (expected a time such as`},
		{`</status><contact priority="0.5">sip:a@b</contact>`, `</status><note/><contact/>`, `in presence/tuple/contact: the element contact after note`},
	} {
		if strings.Count(whole, c.old) != 1 {
			t.Fatalf("%s is not there once", c.old)
		}
		found, err := Validate([]byte(strings.Replace(whole, c.old, c.new, 1)), Limits{})
		if err != nil || len(found) != 1 || !strings.Contains(found[0].String(), c.want) {
			t.Errorf("%s: want one finding\n%s, got\n%v %v", c.new, c.want, found, err)
		}
	}
	_, err := Validate([]byte("<presence/>"), Limits{})
	if err == nil {
		t.Error("no presence document is valid")
	}
}

// The draft's own spelling is found out, the declaration without its question
// mark among the rest.
func TestValidateDraft(t *testing.T) {
	var got []string
	for _, name := range []string{"4.2.1.1-F10", "4.1.3-F3"} {
		found, err := Validate(readFile(t, filepath.Join("testdata", "drawn", name+".xml")), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			got = append(got, f.What)
		}
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{"the capabilities' namespace before RFC 5196", "the namespace prefix sc without a declaration", "attribute id \"0983wqh\""} {
		if !strings.Contains(text, want) {
			t.Errorf("not found: %s\n%s", want, text)
		}
	}
	for _, file := range glob(t, "golden/*.draft.xml") {
		if found, err := Validate(readFile(t, file), Limits{}); err != nil || len(found) == 0 {
			t.Errorf("%s: %v %v", file, found, err)
		}
	}
}

// What xmllint finds, Validate finds, and in what the schemas take it finds
// nothing but what it says it finds beyond them.
func TestValidateAgreesWithSchemas(t *testing.T) {
	var seeds [][]byte
	for _, file := range append(glob(t, "rfc/*.xml"), glob(t, "golden/*.standard.xml")...) {
		if _, err := Parse(readFile(t, file), Limits{}); err == nil {
			seeds = append(seeds, readFile(t, file))
		}
	}
	seeds = append(seeds, []byte(head+manyCaps+tail), []byte(head+manyCaps+tail), []byte(head+muchRPID+tail), []byte(head+muchRPID+tail))
	r := rand.New(rand.NewPCG(3, 4))
	docs, valid := map[string][]byte{}, 0
	findings := map[string][]Finding{}
	for i := range 1500 {
		data := bent(t, r, seeds[i%len(seeds)], i < len(seeds))
		if found, err := Validate(data, Limits{}); err == nil {
			name := fmt.Sprint(i)
			docs[name], findings[name] = bytes.TrimSpace(data), found
		}
	}
	for name, ok := range bySchema(t, docs) {
		beyond := true // nothing found that the schemas ask for
		for _, f := range findings[name] {
			beyond = beyond && (strings.Contains(f.What, "does not have here") || strings.Contains(f.What, "before RFC 5196"))
		}
		if ok {
			valid++
		}
		if ok != beyond {
			t.Errorf("by the schemas valid: %v, found: %v\n%s", ok, findings[name], docs[name])
		}
	}
	if len(docs) < 500 || valid < 50 || valid > len(docs)*9/10 {
		t.Errorf("%d documents, %d valid", len(docs), valid)
	}
}

// bySchema is xmllint's verdict on each document.
func bySchema(t *testing.T, docs map[string][]byte) map[string]bool {
	t.Helper()
	out := xmllint(t, docs, "--schema", filepath.Join("testdata", "xsd", "all.xsd"))
	verdicts := map[string]bool{}
	for name := range docs {
		verdicts[name] = !strings.Contains(out, "/"+name+".xml fails to validate")
	}
	return verdicts
}

// bent is a document changed in one place.
func bent(t *testing.T, r *rand.Rand, data []byte, whole bool) []byte {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(data); err != nil {
		t.Fatal(err)
	}
	all := doc.Root().FindElements("//*")
	pick := func() *etree.Element { return all[r.IntN(len(all))] }
	e, other := pick(), pick()
	switch kind := r.IntN(9); {
	case whole:
	case kind == 0 && e.Parent() != nil:
		e.Parent().RemoveChild(e)
	case kind == 1 && e.Parent() != nil: // twice
		e.Parent().AddChild(e.Copy())
	case kind == 2 && e.Parent() != nil: // at the front of its parent
		e.Parent().InsertChildAt(0, e.Copy())
		e.Parent().RemoveChild(e)
	case kind == 3: // a copy elsewhere, its declarations with it
		other.AddChild(e.Copy())
	case kind == 4 && len(e.Attr) > 0:
		a := e.Attr[r.IntN(len(e.Attr))]
		if a.Space != "xmlns" && a.Key != "xmlns" {
			e.RemoveAttr(a.FullKey())
		}
	case kind == 5:
		e.CreateAttr([]string{"id", "from", "until", "priority", "more", "xml:lang", "idle-threshold"}[r.IntN(7)],
			[]string{"a", "0", "2026-01-02T03:04:05Z", "1.0", "p", "2026-13-02T03:04:05Z"}[r.IntN(6)])
	case kind == 6:
		e.SetText([]string{"", "text", "true", "open", "0", "-7", "2026-01-02T03:04:05+14:30", "active"}[r.IntN(8)])
	case kind == 7:
		e.Tag = other.Tag
	case kind == 8:
		e.Tag, e.Space = other.Tag, other.Space
	}
	out, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const manyCaps = `<tuple id="t"><status><ts:timed-status xmlns:ts="urn:ietf:params:xml:ns:pidf:timed-status" from="2026-01-02T03:04:05Z"><ts:basic>open</ts:basic></ts:timed-status></status>
<c:servcaps><c:actor><c:supported><c:principal/></c:supported></c:actor><c:audio>true</c:audio>
<c:class><c:notsupported><c:business/><c:personal/></c:notsupported></c:class>
<c:description xml:lang="en">d</c:description><c:duplex><c:supported><c:full/></c:supported></c:duplex>
<c:event-packages><c:supported><c:presence/><c:winfo/></c:supported></c:event-packages>
<c:extensions><c:supported><c:rel100/><c:timer/></c:supported></c:extensions>
<c:methods><c:supported><c:INVITE/><c:MESSAGE/></c:supported><c:notsupported><c:UPDATE/></c:notsupported></c:methods>
<c:languages><c:supported><c:l>en</c:l><c:l>de</c:l></c:supported></c:languages>
<c:priority><c:supported><c:equals value="1"/><c:range minvalue="1" maxvalue="2"/></c:supported></c:priority>
<c:schemes><c:supported><c:s>sip</c:s></c:supported></c:schemes><c:text>1</c:text><c:type>text/plain</c:type><c:type>a/b</c:type></c:servcaps>
</tuple>`

const muchRPID = `<tuple id="t"><status/><rpid:relationship><rpid:friend/></rpid:relationship><rpid:service-class><rpid:note>n</rpid:note><rpid:postal/></rpid:service-class></tuple>
<dm:person id="p"><rpid:mood id="m"><rpid:happy/><rpid:other>o</rpid:other></rpid:mood>
<rpid:place-is><rpid:audio><rpid:noisy/></rpid:audio><rpid:text><rpid:ok/></rpid:text></rpid:place-is>
<rpid:place-type><rpid:other>o</rpid:other></rpid:place-type><rpid:privacy><rpid:audio/><rpid:video/></rpid:privacy>
<rpid:sphere><rpid:work/></rpid:sphere><rpid:status-icon>http://h/</rpid:status-icon><rpid:time-offset>-7</rpid:time-offset>
<rpid:user-input idle-threshold="5">idle</rpid:user-input></dm:person>`

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return files
}
