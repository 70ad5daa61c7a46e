package rlmi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/message"
	"presfed/agents/programs"
)

const start = `multipart/related;type="application/rlmi+xml";start="<nXYxAE@pres.vancouver.example.com>";boundary="50UBfW7LSCVLtggUPe5z"`

// The body of the RFC's own example, its one quotation mark too many taken out.
func example(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "rfc4662-6.3.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(b, []byte(`.com"">`), []byte(`.com">`))
}

func TestTheRFCsExample(t *testing.T) {
	got, err := Parse(start, example(t), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the documents themselves are pidf's to read
		one := &got.Resources[i].Instances[0]
		if !strings.Contains(string(one.Body), `entity="`+got.Resources[i].URI+`"`) {
			t.Errorf("%s has the body\n%s", got.Resources[i].URI, one.Body)
		}
		one.Body = nil
	}
	pidf := `application/pidf+xml;charset="UTF-8"`
	want := List{
		URI: "sip:adam-friends@pres.vancouver.example.com", Version: 1, Full: true,
		Names: []Name{{"en", "Buddy List at COM"}, {"de", "Liste der Freunde an COM"}},
		Resources: []Resource{
			{URI: "sip:bob@vancouver.example.com", Names: []Name{{"", "Bob Smith"}}, Instances: []Instance{{ID: "juwigmtboe", State: Active, Type: pidf}}},
			{URI: "sip:dave@vancouver.example.com", Names: []Name{{"", "Dave Jones"}}, Instances: []Instance{{ID: "hqzsuxtfyq", State: Active, Type: pidf}}},
			{URI: "sip:ed@dallas.example.net", Names: []Name{{"", "Ed at NET"}}},
			{URI: "sip:adam-friends@stockholm.example.org", Names: []Name{{"en", "My Friends at ORG"}, {"de", "Meine Freunde an ORG"}}},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Instance{})); diff != "" {
		t.Error(diff)
	}
	asItStands, err := os.ReadFile(filepath.Join("testdata", "rfc4662-6.3.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(start, asItStands, DefaultLimits); err == nil {
		t.Error("the RFC's mistake is not well-formed XML, and was taken")
	}
}

// lists are what has to come back as it was.
var lists = map[string]List{
	"empty": {URI: "sip:alice@example.com;list=buddies", Full: true},
	"all there is": {
		URI: "sip:a&b@example.com?x=<\"'>", Version: 4294967295, Names: []Name{{"en", "my & her <friends>"}, {"", ""}},
		Resources: []Resource{
			{URI: "sip:bob@example.com", Names: []Name{{"de", "Bö\"b"}}, Instances: []Instance{
				{ID: "1", State: Active, Type: "application/pidf+xml", Body: []byte("<presence/>\r\n")},
				{ID: "2 <", State: Terminated, Reason: "rejected"},
				{ID: "3", State: Pending, Type: "text/plain", Body: []byte("--x\r\n\r\n--x--")},
			}},
			{URI: "sip:carol@example.com"},
		},
	},
}

func TestWhatIsWrittenComesBack(t *testing.T) {
	for name, list := range lists {
		contentType, body, err := list.Write("x@example.com")
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := Parse(contentType, body, DefaultLimits)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, body)
		}
		if diff := cmp.Diff(list, got, cmp.AllowUnexported(Instance{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The schema is the RFC's, and xmllint's opinion is its own.
func TestBySchema(t *testing.T) {
	lint := programs.Need(t, "xmllint", "libxml2-utils", "our documents against the schemas")
	for name, list := range lists {
		list.URI = "sip:alice@example.com"            // any URI will do, but it has to be one
		list.Resources = slices.Clone(list.Resources) // the others' tests have theirs
		for i := range list.Resources {
			list.Resources[i].Instances = slices.Clone(list.Resources[i].Instances)
			for k := range list.Resources[i].Instances {
				list.Resources[i].Instances[k].cid = "c"
			}
		}
		cmd := exec.Command(lint, "--nonet", "--noout", "--schema", filepath.Join("testdata", "rlmi.xsd"), "-")
		cmd.Stdin = bytes.NewReader(list.meta())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, list.meta())
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	const one = `<resource uri="a"><instance id="1" state="active" cid="p1"/></resource>`
	meta := func(attrs, inner string) string {
		return "--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <root>\r\n\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" " +
			attrs + ">" + inner + "</list>\r\n--b\r\nContent-ID: <p1>\r\nContent-Type: a/b\r\n\r\nx\r\n--b--"
	}
	const good = `uri="l" version="1" fullState="1"`
	related := "multipart/related;boundary=b"
	for _, c := range []struct{ contentType, body, says string }{
		{related, meta(good, one), ""},
		{related, meta(good, `<other xmlns="x"><deeper/></other>`+one), ""},
		{related + `;start="<root>"`, meta(good, one), ""},
		{"application/pidf+xml", "<presence/>", "want multipart/related"},
		{"multipart/mixed;boundary=b", meta(good, one), "want multipart/related"},
		{"multipart/related", meta(good, one), "boundary"},
		{related + `;start="<none>"`, meta(good, one), "no part is the start"},
		{related + `;start="<p1>"`, meta(good, one), `the first part is "a/b"`},
		{related, meta(`version="1" fullState="1"`, ""), "no uri"},
		{related, meta(`uri="l" fullState="1"`, ""), "version"},
		{related, meta(`uri="l" version="4294967296" fullState="1"`, ""), "version"},
		{related, meta(`uri="l" version="1"`, ""), "fullState"},
		{related, meta(`uri="l" version="1" fullState="yes"`, ""), "fullState"},
		{related, meta(good, one+one), "stands twice"},
		{related, meta(good, `<resource/>`), "resource: no uri"},
		{related, meta(good, `<resource uri="a"><instance state="active"/></resource>`), "without an id"},
		{related, meta(good, `<resource uri="a"><instance id="1" state="active"/><instance id="1" state="pending"/></resource>`), "without an id of its own"},
		{related, meta(good, `<resource uri="a"><instance id="1" state="happy"/></resource>`), "happy"},
		{related, meta(good, strings.Replace(one, "p1", "p2", 1)), `no part is "p2"`},
		{related, meta(good, strings.Replace(one, "p1", "root", 1)), `no part is "root"`},
		{related, meta(good, `<resource uri="b">`), "XML"},
		{related, meta(good, "</list><list>"), "second root"},
		{related, meta(good, `<resource uri="a" uri="b"/>`), "twice"},
		{related, meta(good, `<q:x/>`), "prefix"},
		{related, meta(good, strings.Repeat("<x>", 20)), "deeper"},
		{related, strings.Replace(meta(good, one), "<list", "<!DOCTYPE list><list", 1), "document type"},
		{related, strings.Replace(meta(good, one), "<list", `<?xml version="1.0" encoding="UTF-16"?><list`, 1), "UTF-16"},
		{related, strings.ReplaceAll(meta(good, one), ":rlmi\"", ":other\""), "want list of"},
		{related, meta(good, strings.Repeat(`<resource uri="a"/>`, 5)), "more than 4 resources"},
		{related, meta(good, `<resource uri="a">`+strings.Repeat(`<instance id="1" state="active"/>`, 4)+`</resource>`), "more than 3 instances"},
		{related, meta(good, `<resource uri="a">`+strings.Repeat(`<name/>`, 4)+`</resource>`), "more than 3 names"},
		{related, meta(good, strings.Repeat(`<name/>`, 4)), "more than 3 names"},
		{related, meta(good, one+"<!--"+strings.Repeat("x", 600)+"-->"), "bytes"},
		{related, strings.Repeat("--b\r\n\r\n\r\n", 6) + "--b--", "parts"},
	} {
		_, err := Parse(c.contentType, []byte(c.body), Limits{Bytes: 600, Resources: 4, Instances: 3})
		var parse *message.ParseError
		if (err != nil) != (c.says != "") || err != nil && (!errors.As(err, &parse) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s\n%s\n%v, want %q", c.contentType, c.body, err, c.says)
		}
	}
}

// FuzzParse: what is read can be written, and is read again as the same.
func FuzzParse(f *testing.F) {
	f.Add(start, example(f))
	for _, list := range lists {
		contentType, body, err := list.Write("x@example.com")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(contentType, body)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var list List
		var err error
		bounded.Read(t, len(contentType)+len(body), func() {
			list, err = Parse(contentType, body, Limits{Bytes: 4096, Resources: 16, Instances: 4})
		})
		if err != nil {
			if _, ok := errors.AsType[*message.ParseError](err); !ok {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		written, again, err := list.Write("x@example.com")
		if err != nil {
			t.Skip() // a part's type that no field can hold
		}
		back, err := Parse(written, again, DefaultLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		for _, l := range []*List{&list, &back} { // a type without a body is not written
			for _, r := range l.Resources {
				for k := range r.Instances {
					if len(r.Instances[k].Body) == 0 {
						r.Instances[k].Type, r.Instances[k].Body = "", nil
					}
					r.Instances[k].Type = strings.TrimSpace(r.Instances[k].Type)
				}
			}
		}
		if diff := cmp.Diff(list, back, cmp.AllowUnexported(Instance{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func row(uri, state string) Resource {
	if state == "" {
		return Resource{URI: uri}
	}
	return Resource{URI: uri, Instances: []Instance{{ID: "1", State: state}}}
}

func TestTable(t *testing.T) {
	say := func(rows []Resource) string {
		var all []string
		for _, r := range rows {
			s := r.URI
			for _, i := range r.Instances {
				s += "=" + i.State
			}
			all = append(all, s)
		}
		return strings.Join(all, " ")
	}
	var table Table
	for i, step := range []struct {
		list                     List
		changed, gone, rows, how string
	}{
		{List{Version: 0, Full: true, Resources: []Resource{row("a", Active), row("b", "")}}, "a=active b", "", "a=active b", ""},
		{List{Version: 1, Resources: []Resource{row("b", Pending)}}, "b=pending", "", "a=active b=pending", ""},
		{List{Version: 1, Resources: []Resource{row("b", Active)}}, "", "", "a=active b=pending", "stale"},
		{List{Version: 0, Full: true}, "", "", "a=active b=pending", "stale"},
		{List{Version: 2, Resources: []Resource{row("b", Pending)}}, "", "", "a=active b=pending", ""}, // said again: no change
		{List{Version: 4, Resources: []Resource{row("c", Active)}}, "c=active", "", "a=active b=pending c=active", "lost"},
		{List{Version: 5, Full: true, Resources: []Resource{row("c", Active), row("a", Terminated)}}, "a=terminated", "b=pending", "c=active a=terminated", ""},
		{List{Version: 100, Full: true, Resources: []Resource{row("a", Terminated)}}, "", "c=active", "a=terminated", ""},
		{List{Version: 101, Full: true}, "", "a=terminated", "", ""},
	} {
		taken := table.Take(step.list)
		how := map[bool]string{true: "lost"}[taken.Lost] + map[bool]string{true: "stale"}[taken.Stale]
		got := [4]string{say(taken.Changed), say(taken.Gone), say(table.Resources()), how}
		if got != [4]string{step.changed, step.gone, step.rows, step.how} {
			t.Errorf("step %d: %q", i, got)
		}
	}
	var fresh Table
	if !fresh.Take(List{Version: 0}).Lost {
		t.Error("one that begins with a part has missed the whole")
	}
}

// A subscriber that loses nothing holds what the notifier has, whatever mix of
// whole and part told it.
func TestTheTableFollows(t *testing.T) {
	rows := []Resource{}
	var table Table
	for step := range 200 {
		n := step * 7919 % 10
		at := slices.IndexFunc(rows, func(r Resource) bool { return r.URI == fmt.Sprint(n) })
		l := List{Version: uint32(step)}
		switch {
		case at >= 0 && step%3 == 0:
			rows = slices.Delete(slices.Clone(rows), at, at+1)
			l.Full, l.Resources = true, slices.Clone(rows)
		case at >= 0:
			rows[at] = row(fmt.Sprint(n), []string{Active, Pending, Terminated}[step%3])
			l.Full, l.Resources = step == 0, []Resource{rows[at]}
		default:
			rows = append(rows, row(fmt.Sprint(n), ""))
			l.Full, l.Resources = step == 0, []Resource{rows[len(rows)-1]}
		}
		if taken := table.Take(l); taken.Lost || taken.Stale {
			t.Fatalf("step %d: %+v", step, taken)
		}
		if diff := cmp.Diff(rows, table.Resources(), cmp.AllowUnexported(Instance{})); diff != "" {
			t.Fatalf("step %d: %s", step, diff)
		}
	}
}
