package calendar

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-webdav/caldav"
)

// dav is what is known of a CalDAV server (RFC 4791): where its calendars are,
// and their objects by entity-tag, so that only changed ones are fetched.
// Recurrence is ours to work out, so what comes is read as it stands; go-webdav
// would give up on all of a calendar for one object.
type dav struct {
	calendars []*url.URL
	objects   map[string]object // by URL
}

type object struct {
	etag string
	data []byte
}

// maxObjects bounds a server's objects within the span asked for.
const maxObjects = 20_000

func (d *dav) fetch(ctx context.Context, w *web, from, until time.Time) (all []Text, err error) {
	if d.calendars == nil {
		if d.calendars, err = d.discover(ctx, w); err != nil {
			return nil, err
		}
	}
	known := map[string]object{}
	for _, c := range d.calendars {
		if err := d.read(ctx, w, c, from, until, known); err != nil {
			d.calendars = nil // they may have moved
			return nil, err
		}
	}
	d.objects = known
	for name, o := range known {
		all = append(all, Text{name, o.data})
	}
	slices.SortFunc(all, func(a, b Text) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// discover finds the calendars: those at the URL, or else those of the user
// whom the server takes us for (RFC 4791 section 6, RFC 6764 section 6).
func (d *dav) discover(ctx context.Context, w *web) ([]*url.URL, error) {
	found, err := calendarsAt(ctx, w, w.url, w.url.Path)
	if len(found) > 0 {
		return found, nil
	}
	if missing := err != nil && strings.Contains(err.Error(), "404 "); missing && strings.Trim(w.url.Path, "/") != "" {
		return nil, fmt.Errorf("%s: %w: %w", w, ErrStatus, err) // what was named is not there: no other is meant
	}
	for _, at := range []*url.URL{w.url, w.url.ResolveReference(&url.URL{Path: "/.well-known/caldav"})} {
		var client *caldav.Client
		if client, err = caldav.NewClient(w, at.String()); err != nil {
			return nil, err
		}
		principal, perr := client.FindCurrentUserPrincipal(ctx)
		if perr != nil {
			err = perr
			continue
		}
		home, perr := client.FindCalendarHomeSet(ctx, principal)
		if perr != nil {
			err = perr
			continue
		}
		if found, err = calendarsAt(ctx, w, at, home); len(found) > 0 {
			return found, nil
		}
	}
	var unreached *url.Error
	switch {
	case err == nil:
		return nil, fmt.Errorf("%s: %w for this user", w, ErrNoCalendar)
	case strings.Contains(err.Error(), "401 "), strings.Contains(err.Error(), "unauthenticated"):
		return nil, fmt.Errorf("%s: %w: %w", w, ErrUnauthorized, err)
	case errors.As(err, &unreached):
		return nil, fmt.Errorf("%s: %w", w, err)
	}
	what, _, _ := strings.Cut(err.Error(), "\n") // a page for people may follow
	return nil, fmt.Errorf("%s: %w: %s", w, ErrNoCalendar, what)
}

// calendarsAt are the calendars of events at a path and directly below it.
func calendarsAt(ctx context.Context, w *web, base *url.URL, path string) (out []*url.URL, err error) {
	client, err := caldav.NewClient(w, base.String())
	if err != nil {
		return nil, err
	}
	list, err := client.FindCalendars(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if len(c.SupportedComponentSet) == 0 || slices.Contains(c.SupportedComponentSet, "VEVENT") {
			out = append(out, w.url.ResolveReference(&url.URL{Path: c.Path}))
		}
	}
	return out, nil
}

// read takes a calendar's objects over into known: those within the span by
// entity-tag, and what has changed of them (RFC 4791 section 8.2.1.2).
func (d *dav) read(ctx context.Context, w *web, c *url.URL, from, until time.Time, known map[string]object) error {
	const form = "20060102T150405Z"
	listed, err := w.report(ctx, c, fmt.Sprintf(`<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">`+
		`<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+
		`<C:time-range start="%s" end="%s"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		from.UTC().Format(form), until.UTC().Format(form)))
	if err != nil {
		return err
	}
	if len(listed) > maxObjects {
		return fmt.Errorf("%s: more than %d events in the span", c, maxObjects)
	}
	var changed []string
	for _, r := range listed {
		at, err := c.Parse(r.Href)
		if err != nil || at.Path == c.Path {
			continue
		}
		if old, ok := d.objects[at.String()]; ok && r.etag() != "" && old.etag == r.etag() {
			known[at.String()] = old
			continue
		}
		changed = append(changed, r.Href)
	}
	for some := range slices.Chunk(changed, 100) {
		var hrefs strings.Builder
		for _, h := range some {
			hrefs.WriteString("<D:href>")
			_ = xml.EscapeText(&hrefs, []byte(h)) // a Builder takes all
			hrefs.WriteString("</D:href>")
		}
		got, err := w.report(ctx, c, `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">`+
			`<D:prop><D:getetag/><C:calendar-data/></D:prop>`+hrefs.String()+`</C:calendar-multiget>`)
		if err != nil {
			return err
		}
		for _, r := range got {
			if at, err := c.Parse(r.Href); err == nil && r.data() != "" { // what has gone since has none
				known[at.String()] = object{r.etag(), []byte(r.data())}
			}
		}
	}
	return nil
}

// response is a part of a multistatus (RFC 4918 section 14.24).
type response struct {
	Href  string `xml:"DAV: href"`
	Stats []struct {
		Prop struct {
			ETag string `xml:"DAV: getetag"`
			Data string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

func (r response) etag() string {
	for _, s := range r.Stats {
		if s.Prop.ETag != "" {
			return s.Prop.ETag
		}
	}
	return ""
}

func (r response) data() string {
	for _, s := range r.Stats {
		if s.Prop.Data != "" {
			return s.Prop.Data
		}
	}
	return ""
}

// report is one REPORT (RFC 3253 section 3.6).
func (w *web) report(ctx context.Context, at *url.URL, body string) ([]response, error) {
	req, err := http.NewRequestWithContext(ctx, "REPORT", at.String(), strings.NewReader(`<?xml version="1.0" encoding="utf-8"?>`+body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	req.Header.Set("Depth", "1")
	res, text, err := w.do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusMultiStatus {
		return nil, w.refusal(res)
	}
	list, err := parseMultistatus(text)
	if err != nil {
		return nil, fmt.Errorf("%s: REPORT was answered with no multistatus: %w", at, err)
	}
	return list, nil
}

func parseMultistatus(text []byte) ([]response, error) {
	var multistatus struct {
		XMLName   xml.Name   `xml:"DAV: multistatus"`
		Responses []response `xml:"DAV: response"`
	}
	err := xml.NewDecoder(bytes.NewReader(text)).Decode(&multistatus)
	return multistatus.Responses, err
}
