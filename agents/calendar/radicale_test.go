package calendar_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"presfed/agents/calendar"
	"presfed/agents/programs"
)

// radicale is a CalDAV server, somebody else's, as a process of its own; alice's
// password there is "of the calendar".
type radicale struct {
	w   *world
	url string
}

func newRadicale(w *world) *radicale {
	w.t.Helper()
	programs.Need(w.t, "radicale", "radicale", "the feeder against a CalDAV server")
	dir := w.t.TempDir()
	users := filepath.Join(dir, "users")
	w.must(os.WriteFile(users, []byte("alice:of the calendar\n"), 0o600))
	cmd := exec.Command("radicale", "--config", "", "--server-hosts", "127.0.0.1:0", "--auth-type", "htpasswd", "--auth-htpasswd-filename", users,
		"--auth-htpasswd-encryption", "plain", "--storage-filesystem-folder", filepath.Join(dir, "collections"), "--logging-level", "info")
	log, err := cmd.StderrPipe()
	w.must(err)
	w.must(cmd.Start())
	read := make(chan struct{})
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); <-read; _ = cmd.Wait() })
	at := make(chan string, 1)
	go func() { // ends with the process
		defer close(read)
		for sc := bufio.NewScanner(log); sc.Scan(); {
			if m := regexp.MustCompile(`Listening on .*127\.0\.0\.1\]?:(\d+)`).FindStringSubmatch(sc.Text()); m != nil {
				at <- m[1]
			}
		}
	}()
	r := &radicale{w: w}
	select {
	case port := <-at:
		r.url = "http://127.0.0.1:" + port
	case <-read:
		w.t.Fatal("radicale has ended")
	case <-time.After(30 * time.Second):
		w.t.Fatal("radicale does not listen")
	}
	r.do("MKCALENDAR", "/alice/meetings/", "")
	return r
}

func (r *radicale) do(method, path, body string) {
	r.w.t.Helper()
	req, err := http.NewRequestWithContext(r.w.ctx(), method, r.url+path, strings.NewReader(body))
	r.w.must(err)
	req.SetBasicAuth("alice", "of the calendar")
	if body != "" {
		req.Header.Set("Content-Type", "text/calendar")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	r.w.must(err)
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		r.w.t.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

func (r *radicale) put(name string, lines ...string) {
	r.w.t.Helper()
	r.do(http.MethodPut, "/alice/meetings/"+name, fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\n%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", strings.Join(lines, "\r\n")))
}

func (r *radicale) access() calendar.Access {
	return calendar.Access{User: "alice", Password: "of the calendar", Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// TestRadicale: events in a CalDAV server's calendar are published at ours while
// they are on; what is changed there is seen, and what is removed.
func TestRadicale(t *testing.T) {
	w := newWorld(t)
	r := newRadicale(w)
	alice := w.watch("alice")
	var source calendar.Source
	f := w.feed(func(c *calendar.Config) {
		var err error
		source, err = calendar.Open(r.url+"/", r.access())
		w.must(err)
		c.Users[0].Sources = []calendar.Source{source}
		c.Style.Summaries = true
	})
	r.put("m.ics", "UID:m", "SUMMARY:Planning", "DTSTART;TZID=Europe/Berlin:20261111T130000", "DTEND;TZID=Europe/Berlin:20261111T133000", "RRULE:FREQ=WEEKLY")
	r.put("old.ics", "UID:o", "SUMMARY:Long ago", "DTSTART:20200101T000000Z", "DTEND:20200101T010000Z")
	w.must(f.Refresh(w.ctx()))
	if p := f.next("create 1800 200"); !strings.Contains(string(p.body), "Planning") {
		t.Errorf("%s", p.body)
	}
	alice.until(busy)
	w.must(f.Refresh(w.ctx()))
	f.none()
	r.put("m.ics", "UID:m", "SUMMARY:Planning", "DTSTART;TZID=Europe/Berlin:20261111T130000", "DTEND;TZID=Europe/Berlin:20261111T140000", "RRULE:FREQ=WEEKLY")
	w.must(f.Refresh(w.ctx()))
	f.next("modify 3600 200")
	r.put("n.ics", "UID:n", "SUMMARY:Interview", "DTSTART:20261125T120000Z", "DTEND:20261125T121500Z")
	w.must(f.Refresh(w.ctx()))
	if p := f.next("modify 3600 200"); !strings.Contains(string(p.body), "Interview") {
		t.Errorf("%s", p.body)
	}
	r.do(http.MethodDelete, "/alice/meetings/n.ics", "")
	r.do(http.MethodDelete, "/alice/meetings/m.ics", "")
	for done := false; !done; { // it asks by itself, every minute
		w.clock.Advance(time.Minute)
		select {
		case p := <-f.all:
			if done = p.String() == "remove 0 200"; !done {
				t.Fatalf("PUBLISH %v", p)
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	alice.until(free)
}

// TestRadicaleIsFound: by the server's URL, the user's, and the calendar's; what
// else is there says no.
func TestRadicaleIsFound(t *testing.T) {
	w := newWorld(t)
	r := newRadicale(w)
	r.put("m.ics", "UID:m", "SUMMARY:Planning", "DTSTART:20261125T120000Z", "DTEND:20261125T123000Z")
	r.do("MKCALENDAR", "/alice/private/", "")
	list := func(name string, a calendar.Access) (int, error) {
		source, err := calendar.Open(name, a)
		w.must(err)
		busy, warnings, err := calendar.List(w.ctx(), []calendar.Source{source}, time.UTC, noon, noon.Add(time.Hour))
		if len(warnings) > 0 {
			t.Error(warnings)
		}
		return len(busy), err
	}
	for _, path := range []string{"/", "/alice/", "/alice/meetings/", "/.well-known/caldav"} {
		for _, scheme := range []string{"http", "caldav"} {
			if n, err := list(strings.Replace(r.url, "http", scheme, 1)+path, r.access()); err != nil || n != 1 {
				t.Errorf("%s %s: %d, %v", scheme, path, n, err)
			}
		}
	}
	if n, err := list(strings.Replace(r.url, "http://", "http://alice@", 1)+"/alice/private/", calendar.Access{Password: "of the calendar", Client: r.access().Client}); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	wrong := r.access()
	wrong.Password = "wrong"
	for _, path := range []string{"/", "/alice/", "/alice/meetings/"} {
		if _, err := list(r.url+path, wrong); !errors.Is(err, calendar.ErrUnauthorized) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := list(r.url+"/alice/nothing/", r.access()); err == nil {
		t.Error("a calendar that is not there was read")
	}
}
