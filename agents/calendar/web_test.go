package calendar_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"presfed/agents/calendar"
)

// site is a web server of the test's.
type site struct {
	*httptest.Server
	gets atomic.Int32 // answered with a body
}

func newSite(t *testing.T, handle func(s *site, w http.ResponseWriter, r *http.Request)) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(s, w, r) }))
	t.Cleanup(s.Close)
	return s
}

func fetch(t *testing.T, source calendar.Source) ([]calendar.Text, error) {
	t.Helper()
	return source.Fetch(t.Context(), noon, noon.Add(time.Hour))
}

func open(t *testing.T, name string, a calendar.Access) calendar.Source {
	t.Helper()
	if a.Client == nil {
		a.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	source, err := calendar.Open(name, a)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

const small = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"

// TestUnchangedIsNotFetched: by entity-tag, or by time; what has changed is.
func TestUnchangedIsNotFetched(t *testing.T) {
	for _, by := range []string{"ETag", "Last-Modified"} {
		version := "1"
		s := newSite(t, func(s *site, w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			tag := `"` + version + `"`
			if by == "Last-Modified" {
				tag = "Wed, 25 Nov 2026 12:00:0" + version + " GMT"
			}
			if r.Header.Get("If-None-Match") == tag || r.Header.Get("If-Modified-Since") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			s.gets.Add(1)
			w.Header().Set(by, tag)
			fmt.Fprint(w, small, "X:", version)
		})
		source := open(t, s.URL+"/calendar", calendar.Access{})
		for _, step := range []struct {
			version string
			gets    int32
		}{{"1", 1}, {"1", 1}, {"2", 2}, {"2", 2}} {
			version = step.version
			texts, err := fetch(t, source)
			if err != nil || len(texts) != 1 || string(texts[0].Data) != small+"X:"+version || s.gets.Load() != step.gets {
				t.Errorf("%s: %q %v, %d fetched, want %d", by, texts, err, s.gets.Load(), step.gets)
			}
		}
	}
}

// TestPasswordStaysWithItsHost: a redirect to another host does not carry it, nor
// one to plain http go anywhere.
func TestPasswordStaysWithItsHost(t *testing.T) {
	seen := make(chan string, 16)
	other := newSite(t, func(s *site, w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
		fmt.Fprint(w, small)
	})
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	first := newSite(t, func(s *site, w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "secret" {
			t.Errorf("%s without credentials", r.Method)
		}
		http.Redirect(w, r, elsewhere, http.StatusFound)
	})
	access := calendar.Access{User: "alice", Password: "secret"}
	if _, err := fetch(t, open(t, first.URL+"/a.ics", access)); err != nil {
		t.Error(err)
	}
	if got := <-seen; got != "" {
		t.Errorf("the other host was told %s", got)
	}
	if _, err := fetch(t, open(t, strings.Replace(first.URL, "http", "caldav", 1), access)); err == nil {
		t.Error("no CalDAV server, and yet calendars")
	}
	for len(seen) > 0 {
		if got := <-seen; got != "" {
			t.Errorf("the other host was told %s", got)
		}
	}
	secure := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer secure.Close()
	if _, err := fetch(t, open(t, secure.URL+"/a.ics", calendar.Access{Client: secure.Client()})); err == nil || !strings.Contains(err.Error(), "redirected from https to http") {
		t.Error(err)
	}
	secure.Client().CloseIdleConnections()
}

// TestWebRefusals: what a server may answer, and what becomes of it.
func TestWebRefusals(t *testing.T) {
	s := newSite(t, func(s *site, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/401.ics", "/401":
			w.WriteHeader(http.StatusUnauthorized)
		case "/403.ics":
			w.WriteHeader(http.StatusForbidden)
		case "/304.ics":
			w.WriteHeader(http.StatusNotModified) // though nobody has asked if it was modified
		case "/circle.ics":
			http.Redirect(w, r, "/circle.ics", http.StatusFound)
		case "/large.ics":
			for range 300 {
				io.WriteString(w, strings.Repeat("x", 1<<16))
			}
		case "/dav":
			w.Header().Set("DAV", "1, calendar-access")
			w.WriteHeader(http.StatusMultiStatus)
			io.WriteString(w, "<no xml")
		}
	})
	for path, want := range map[string]error{
		"/401.ics": calendar.ErrUnauthorized, "/401": calendar.ErrUnauthorized, "/403.ics": calendar.ErrStatus, "/304.ics": calendar.ErrStatus,
		"/circle.ics": nil, "/large.ics": nil, "/dav": nil,
	} {
		if _, err := fetch(t, open(t, s.URL+path, calendar.Access{})); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	for _, name := range []string{"ftp://example.com/a.ics", "http://", "https://alice:secret@example.com/", "nowhere.ics"} {
		if _, err := calendar.Open(name, calendar.Access{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFolder: every .ics file in it, as it is now; one that is broken is a
// warning beside the others.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source := open(t, dir, calendar.Access{})
	list := func() (summaries []string, warnings []calendar.Warning) {
		t.Helper()
		busy, warnings, err := calendar.List(t.Context(), []calendar.Source{source}, time.UTC, noon, noon.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range busy {
			summaries = append(summaries, o.Summary)
		}
		return summaries, warnings
	}
	if got, _ := list(); len(got) != 0 {
		t.Error(got)
	}
	put("a.ics", string(calendar.Meeting("a", "A; with, signs\\", noon, noon.Add(time.Minute))))
	put("B.ICS", string(calendar.Meeting("b", "B", noon.Add(time.Second), noon.Add(time.Minute))))
	put("c.txt", "no calendar")
	put(".d.ics", "hidden")
	if got, w := list(); fmt.Sprint(got) != `[A; with, signs\ B]` || len(w) != 0 {
		t.Error(got, w)
	}
	put("e.ics", "no calendar")
	if err := os.Remove(filepath.Join(dir, "a.ics")); err != nil {
		t.Fatal(err)
	}
	if got, w := list(); fmt.Sprint(got) != "[B]" || len(w) != 1 || w[0].Source != filepath.Join(dir, "e.ics") {
		t.Error(got, w)
	}
}
