package watcherinfo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/message"
	"presfed/agents/programs"
)

func TestTheRFCsExample(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("testdata", "rfc3858-5.xml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := Document{Full: true, Lists: []List{{Resource: "sip:professor@example.net", Package: "presence", Watchers: []Watcher{
		{ID: "8ajksjda7s", URI: "sip:userA@example.net", Status: Active, Event: Approved, Subscribed: new(uint64(509))},
		{ID: "hh8juja87s997-ass7", URI: "sip:userB@example.org", Status: Pending, Event: Subscribe, Name: "Mr. Subscriber"},
	}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// documents are what has to come back as it was.
func documents() map[string]Document {
	all := Document{Version: 4294967295, Lists: []List{{Resource: "sip:a&b@example.com", Package: "presence"}, {Resource: "sip:c@example.com", Package: "presence.winfo"}}}
	n := 0
	for _, status := range []Status{Pending, Active, Waiting, Terminated} {
		for _, event := range []Event{Subscribe, Approved, Deactivated, Probation, Rejected, Timeout, Giveup, NoResource} {
			n++
			all.Lists[0].Watchers = append(all.Lists[0].Watchers, Watcher{
				ID: fmt.Sprint("w", n), URI: "sip:d%20%3c@example.com;x=y?z&", Status: status, Event: event,
				Name: "D \"<é>\"\n'", Lang: "de", Expiration: new(uint64(n)), Subscribed: new(^uint64(0)),
			})
		}
	}
	return map[string]Document{"empty": {Full: true}, "nobody": {Full: true, Lists: []List{{Resource: "sip:a@example.com", Package: "presence"}}}, "all there is": all}
}

func TestThereAndBack(t *testing.T) {
	for name, d := range documents() {
		got, err := Parse(d.Bytes())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestSchema: what we write is valid by the RFC's schema.
func TestSchema(t *testing.T) {
	lint := programs.Need(t, "xmllint", "libxml2-utils", "our documents against the schemas")
	for name, d := range documents() {
		path := filepath.Join(t.TempDir(), "doc.xml")
		if err := os.WriteFile(path, d.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(lint, "--nonet", "--noout", "--schema", filepath.Join("testdata", "xsd", "watcherinfo.xsd"), path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestRefused(t *testing.T) {
	whole := func(attrs, inside string) string {
		return `<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" ` + attrs + `>` + inside + `</watcherinfo>`
	}
	list := func(watchers string) string {
		return whole(`version="0" state="full"`, `<watcher-list resource="sip:a@b" package="presence">`+watchers+`</watcher-list>`)
	}
	for name, tt := range map[string]struct {
		doc    string
		status int
		why    string
	}{
		"another root":       {`<presence xmlns="urn:ietf:params:xml:ns:pidf"/>`, 400, "want watcherinfo"},
		"another namespace":  {`<watcherinfo version="0" state="full"/>`, 400, "want watcherinfo"},
		"no version":         {whole(`state="full"`, ""), 400, "version"},
		"version wraps":      {whole(`version="4294967296" state="full"`, ""), 400, "version"},
		"no state":           {whole(`version="0"`, ""), 400, "state"},
		"a list of nobody":   {whole(`version="0" state="full"`, `<watcher-list package="presence"/>`), 400, "resource"},
		"what is not known":  {whole(`version="0" state="full"`, `<watchers/>`), 400, "watcher-list"},
		"an id is no token":  {list(`<watcher id="a b" status="active" event="subscribe">sip:c@d</watcher>`), 400, "token"},
		"a mark in an id":    {list(`<watcher id="a#b" status="active" event="subscribe">sip:c@d</watcher>`), 400, "token"},
		"an id twice":        {list(strings.Repeat(`<watcher id="a" status="active" event="subscribe">sip:c@d</watcher>`, 2)), 400, "before"},
		"no URI":             {list(`<watcher id="a" status="active" event="subscribe"/>`), 400, "URI"},
		"a status":           {list(`<watcher id="a" status="gone" event="subscribe">sip:c@d</watcher>`), 400, "status"},
		"an event":           {list(`<watcher id="a" status="active" event="gone">sip:c@d</watcher>`), 400, "event"},
		"negative time":      {list(`<watcher id="a" status="active" event="subscribe" expiration="-1">sip:c@d</watcher>`), 400, "expiration"},
		"a document type":    {`<!DOCTYPE watcherinfo>` + whole(`version="0" state="full"`, ""), 400, "document type"},
		"ten thousand deep":  {strings.Repeat("<a>", 10_000), 400, "nested"},
		"more than the size": {whole(`version="0" state="full"`, strings.Repeat(" ", 256<<10)), 413, "bytes"},
	} {
		_, err := Parse([]byte(tt.doc))
		var refused *message.ParseError
		if !errors.As(err, &refused) || refused.Status != tt.status || !strings.Contains(refused.What, tt.why) {
			t.Errorf("%s: %v, want %d %s", name, err, tt.status, tt.why)
		}
	}
	if _, err := Parse([]byte(whole(`version=" 1 " state="full" xmlns:x="u" x:y="z"`, `<watcher-list resource="sip:a@b" package="p"/><x:more/>`))); err != nil {
		t.Errorf("what other namespaces add is refused: %v", err)
	}
}

func TestTable(t *testing.T) {
	doc := func(version uint32, full bool, watchers ...Watcher) Document {
		return Document{Version: version, Full: full, Lists: []List{{Resource: "sip:a@b", Package: "presence", Watchers: watchers}}}
	}
	w := func(id string, s Status) Watcher {
		return Watcher{ID: id, URI: "sip:" + id + "@b", Status: s, Event: Subscribe}
	}
	var table Table
	for i, step := range []struct {
		doc           Document
		changed, rows string
		lost          bool
	}{
		{doc(0, true, w("a", Active), w("b", Pending)), "a:active b:pending", "a:active b:pending", false},
		{doc(1, false, w("b", Active), w("c", Pending)), "b:active c:pending", "a:active b:active c:pending", false},
		{doc(1, false, w("d", Active)), "", "a:active b:active c:pending", false},
		{doc(3, false, w("a", Terminated)), "a:terminated", "b:active c:pending", true},
		{doc(4, true, w("b", Active), w("e", Waiting)), "e:waiting", "b:active e:waiting", false},
		{doc(5, false, w("f", Terminated)), "f:terminated", "b:active e:waiting", false},
	} {
		taken := table.Take(step.doc)
		text := func(all []Watcher) string {
			var words []string
			for _, w := range all {
				words = append(words, w.ID+":"+string(w.Status))
			}
			return strings.Join(words, " ")
		}
		if text(taken.Changed) != step.changed || text(table.Watchers()) != step.rows || taken.Lost != step.lost {
			t.Errorf("step %d: %q, %q, %v", i, text(taken.Changed), text(table.Watchers()), taken.Lost)
		}
	}
}

// FuzzParse: what was read is written so that it is read alike, soon.
func FuzzParse(f *testing.F) {
	if doc, err := os.ReadFile(filepath.Join("testdata", "rfc3858-5.xml")); err == nil {
		f.Add(doc)
	}
	for _, d := range documents() {
		f.Add(d.Bytes())
	}
	f.Add([]byte(`<w:watcherinfo xmlns:w="urn:ietf:params:xml:ns:watcherinfo" version="1" state="partial"><x xmlns="u"/></w:watcherinfo>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Document
		var err error
		bounded.Read(t, len(data), func() { d, err = Parse(data) })
		if err != nil {
			return
		}
		written := d.Bytes()
		again, err := Parse(written)
		if err != nil && len(written) <= 256<<10 {
			t.Fatalf("%v\n%s", err, written)
		}
		if err == nil && !bytes.Equal(again.Bytes(), written) {
			t.Fatalf("%s\n%s", again.Bytes(), written)
		}
		var table Table
		table.Take(d)
	})
}

// TestATableHasAnEnd, whatever a server tells.
func TestATableHasAnEnd(t *testing.T) {
	var table Table
	for version := range uint32(80) {
		d := Document{Version: version, Full: version == 0, Lists: []List{{Resource: "sip:a@example.com", Package: "presence"}}}
		for i := range 1000 {
			d.Lists[0].Watchers = append(d.Lists[0].Watchers, Watcher{ID: fmt.Sprint(version, "-", i), URI: "sip:b@example.com", Status: Active, Event: Subscribe})
		}
		table.Take(d)
	}
	if n := len(table.Watchers()); n != 50_000 {
		t.Errorf("%d rows are kept", n)
	}
}
