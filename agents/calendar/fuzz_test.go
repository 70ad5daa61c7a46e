package calendar

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzMultistatus: what is read of a server's answer is the same when it is
// written out and read again.
func FuzzMultistatus(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/a%20b.ics</d:href>` +
		`<d:propstat><d:prop><d:getetag>"1"</d:getetag><c:calendar-data>BEGIN:VCALENDAR&#13;
END:VCALENDAR</c:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>`))
	f.Add([]byte(`<multistatus xmlns="DAV:"><response><href>/gone</href><status>HTTP/1.1 404 Not Found</status></response></multistatus>`))
	f.Add([]byte(`<multistatus xmlns="other"/>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseMultistatus(text)
		if err != nil {
			return
		}
		var b strings.Builder
		b.WriteString(`<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">`)
		for _, r := range list {
			fmt.Fprintf(&b, `<response><href>%s</href><propstat><prop><getetag>%s</getetag><c:calendar-data>%s</c:calendar-data></prop></propstat></response>`,
				escape(r.Href), escape(r.etag()), escape(r.data()))
		}
		b.WriteString(`</multistatus>`)
		again, err := parseMultistatus([]byte(b.String()))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d, not %d: %v", len(again), len(list), err)
		}
		for i, r := range again {
			if r.Href != list[i].Href || r.etag() != list[i].etag() || r.data() != list[i].data() {
				t.Fatalf("%q is not %q", r, list[i])
			}
		}
	})
}
