package calendar_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/calendar"
	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/pidf"
)

const meeting = "UID:m SUMMARY:Budget DTSTART:20261125T120000Z DTEND:20261125T123000Z"

// TestMeeting: published while it is on, for as long as it lasts and no longer,
// as the draft's flow 4.2.1.3 shows it, and removed at its end.
func TestMeeting(t *testing.T) {
	w := newWorld(t)
	alice := w.watch("alice")
	f := w.feed(func(c *calendar.Config) { c.Style.Activities = []string{"busy"} })
	f.says()
	f.none()
	f.says(meeting)
	p := f.next("create 1800 200")
	if found, err := pidf.Validate(p.body, pidf.DefaultLimits()); err != nil || len(found) > 0 {
		t.Errorf("%v %v\n%s", found, err, p.body)
	}
	if strings.Contains(string(p.body), "Budget") {
		t.Errorf("what the meeting is about is shown:\n%s", p.body)
	}
	want := pidf.Expect{Entity: "alice", Match: pidf.MatchContains, Person: &pidf.ExpectPerson{Activities: []string{"busy"}, Note: "I am in a Meeting", Class: "calendar"}}
	if diffs := want.Check(alice.until(busy)); len(diffs) > 0 {
		t.Errorf("%v", diffs)
	}
	for _, attr := range []string{`from="2026-11-25T12:00:00Z"`, `until="2026-11-25T12:30:00Z"`} {
		if !strings.Contains(string(p.body), attr) {
			t.Errorf("%s is missing:\n%s", attr, p.body)
		}
	}
	f.turn(29*time.Minute + 59*time.Second)
	f.none() // it lasts by itself
	f.turn(time.Second)
	f.next("remove 0 200")
	alice.until(free)
}

// TestDeadFeeder: what it has published ends with the meeting, by the server
// alone.
func TestDeadFeeder(t *testing.T) {
	w := newWorld(t, func(c *server.Config) { c.MinExpires = time.Second })
	alice := w.watch("alice")
	device := w.device("alice", nil)
	f := w.feed(func(c *calendar.Config) {
		c.Users[0].Client, c.Clock = device, nil
	})
	w.must(os.WriteFile(f.file, calendar.Meeting("m", "", time.Now().Add(-time.Minute), time.Now().Add(5*time.Second)), 0o600))
	w.must(f.Refresh(w.ctx()))
	alice.until(busy)
	w.stop(device) // its host is gone: nobody hears what it would still say
	alice.until(free)
}

// TestLongMeeting: it is not asked for longer than --expires at once, and
// refreshed.
func TestLongMeeting(t *testing.T) {
	w := newWorld(t)
	f := w.feed(func(c *calendar.Config) { c.Expires = 10 * time.Minute })
	f.says(meeting)
	f.next("create 600 200")
	f.turn(9 * time.Minute)
	f.none()
	f.turn(30 * time.Second)
	f.next("refresh 600 200")
	f.turn(570 * time.Second)
	f.next("refresh 600 200")
	f.turn(570 * time.Second)
	f.next("refresh 90 200")
	f.turn(80 * time.Second)
	f.none()
	f.turn(10 * time.Second)
	f.next("remove 0 200")
}

// TestShortMeeting: the server takes none for less than a minute (423); it is
// taken away at the end of the meeting all the same.
func TestShortMeeting(t *testing.T) {
	w := newWorld(t)
	alice := w.watch("alice")
	f := w.feed(nil)
	w.clock.Advance(29*time.Minute + 40*time.Second)
	f.says(meeting)
	f.next("create 20 423")
	f.next("create 60 200")
	alice.until(busy)
	f.turn(19 * time.Second)
	f.none()
	f.turn(time.Second)
	f.next("remove 0 200")
	alice.until(free)
}

// TestChanges: what is published follows the calendar, also without being told.
func TestChanges(t *testing.T) {
	w := newWorld(t)
	alice := w.watch("alice")
	f := w.feed(func(c *calendar.Config) { c.Style = calendar.Style{Summaries: true, Note: "engaged"} })
	f.says(meeting)
	f.next("create 1800 200")
	f.says(strings.ReplaceAll(meeting, "T1230", "T1300"))
	f.next("modify 3600 200")
	if p, _ := alice.until(func(d pidf.Document) bool {
		p, ok := d.Person()
		return ok && strings.Contains(p.Activities[0].Attrs[1].Value, "13:00:00")
	}).Person(); p.AllNotes()[0].Text != "Budget" {
		t.Errorf("%+v", p)
	}
	f.says(meeting + " CLASS:CONFIDENTIAL")
	if p := f.next("modify 1800 200"); !strings.Contains(string(p.body), "engaged") || strings.Contains(string(p.body), "Budget") {
		t.Errorf("%s", p.body)
	}
	f.says(meeting+" CLASS:PRIVATE", "UID:n SUMMARY:Inner DTSTART:20261125T120000Z DTEND:20261125T121000Z")
	if p := f.next("modify 1800 200"); !strings.Contains(string(p.body), "Inner") {
		t.Errorf("%s", p.body)
	}
	f.turn(10 * time.Minute)
	f.next("modify 1200 200")
	f.write(meeting + " STATUS:CANCELLED")
	for done := false; !done; { // the file is looked at every second
		w.clock.Advance(time.Second)
		select {
		case p := <-f.all:
			done = p.String() == "remove 0 200"
			if !done {
				t.Fatalf("PUBLISH %v", p)
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	alice.until(free)
}

// TestGoodbye: at its end the feeder takes back what it has published.
func TestGoodbye(t *testing.T) {
	w := newWorld(t)
	alice := w.watch("alice")
	f := w.feed(nil)
	f.says(meeting)
	f.next("create 1800 200")
	alice.until(busy)
	w.must(f.stop())
	f.next("remove 0 200")
	alice.until(free)
	if err := f.Refresh(w.ctx()); err == nil {
		t.Error("one that has ended refreshes")
	}
}

// TestLostPublication: one that the server does not know any more is made anew.
func TestLostPublication(t *testing.T) {
	w := newWorld(t)
	tag := make(chan string, 16)
	device := w.device("alice", func(c *client.Config) {
		c.OnEvent = func(e client.Event) {
			if e.Type == "published" {
				tag <- e.ETag
			}
		}
	})
	f := w.feed(func(c *calendar.Config) { c.Users[0].Client = device })
	f.says(meeting)
	_, _, err := w.device("alice", nil).Publish(w.ctx(), client.Publication{ETag: <-tag}) // from elsewhere, with her password
	w.must(err)
	alice := w.watch("alice")
	f.says(strings.ReplaceAll(meeting, "T1230", "T1300"))
	alice.until(busy)
}

// TestTwoUsers: one feeder, a publication for each.
func TestTwoUsers(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.watch("alice"), w.watch("bob")
	file := filepath.Join(t.TempDir(), "bob.ics")
	w.must(os.WriteFile(file, calendar.Meeting("b", "Bob's", noon.Add(10*time.Minute), noon.Add(20*time.Minute)), 0o600))
	source, err := calendar.Open(file, calendar.Access{})
	w.must(err)
	f := w.feed(func(c *calendar.Config) {
		c.Users = append(c.Users, calendar.User{Client: w.device("bob", nil), Sources: []calendar.Source{source}})
	})
	f.says(meeting)
	alice.until(busy)
	f.turn(10 * time.Minute)
	bob.until(busy)
	f.turn(10 * time.Minute)
	bob.until(free)
	f.turn(10 * time.Minute)
	alice.until(free)
}

// TestBrokenCalendar: what is wrong is told once, with its place; what was known
// stays until there is something to know again.
func TestBrokenCalendar(t *testing.T) {
	w := newWorld(t)
	f := w.feed(nil)
	f.says(meeting, "UID:bad DTSTART:20261126T120000Z RRULE:FREQ=OFTEN")
	f.next("create 1800 200")
	if e := <-f.events; e.Type != "warning" || e.UID != "bad" || e.Line != 12 || e.Source != f.file || !strings.Contains(e.Message, "OFTEN") || e.AOR != "sip:alice@example.com" {
		t.Errorf("%+v", e)
	}
	w.must(os.WriteFile(f.file, []byte("BEGIN:VCALENDAR\nBEG"), 0o600))
	w.must(f.Refresh(w.ctx())) // as if it was being written
	w.must(os.WriteFile(f.file, []byte("<html>out of order</html>"), 0o600))
	w.must(os.Chtimes(f.file, noon.AddDate(-1, 0, 0), noon.AddDate(-1, 0, 0)))
	if err := f.Refresh(w.ctx()); err == nil || !strings.Contains(err.Error(), "not a calendar") {
		t.Error(err)
	}
	if e := <-f.events; e.Type != "failed" || !strings.Contains(e.Message, "not a calendar") {
		t.Errorf("%+v", e)
	}
	_ = f.Refresh(w.ctx())
	f.none()
	f.says()
	f.next("remove 0 200")
	select {
	case e := <-f.events:
		t.Errorf("it is told again: %+v", e)
	default:
	}
}

// TestLostSource: what it said counts for a day after it was read last.
func TestLostSource(t *testing.T) {
	w := newWorld(t)
	f := w.feed(nil)
	f.says("UID:l DTSTART;VALUE=DATE:20261125 DTEND;VALUE=DATE:20261205")
	f.next("create 3600 200")
	w.must(os.Remove(f.file))
	refresh := func() {
		t.Helper()
		if err := f.Refresh(w.ctx()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
	}
	w.clock.Advance(23 * time.Hour)
	refresh()
	f.next("refresh 3600 200")
	w.clock.Advance(2 * time.Hour)
	for removed := false; !removed; {
		refresh()
		select {
		case p := <-f.all: // refreshed once more perhaps, before that
			removed = p.String() == "remove 0 200"
		default:
		}
	}
}

// TestWrongPassword ends the feeder with the reason.
func TestWrongPassword(t *testing.T) {
	w := newWorld(t)
	device := w.device("alice", func(c *client.Config) { c.Password = "wrong" })
	f := w.feed(func(c *calendar.Config) { c.Users[0].Client = device })
	f.write(meeting)
	_ = f.Refresh(w.ctx()) // it fails, or finds the feeder ended
	if err := f.stop(); !errors.Is(err, client.ErrAuthentication) {
		t.Errorf("%v", err)
	}
}

// TestServerAway: it is tried again, and told once.
func TestServerAway(t *testing.T) {
	w := newWorld(t)
	device := w.device("alice", func(c *client.Config) { c.Server = "tcp:127.0.0.1:1" })
	f := w.feed(func(c *calendar.Config) { c.Users[0].Client = device })
	f.write(meeting)
	for range 3 {
		if err := f.Refresh(w.ctx()); !errors.Is(err, client.ErrTransport) {
			t.Errorf("%v", err)
		}
	}
	if e := <-f.events; e.Type != "failed" || len(f.events) > 0 {
		t.Errorf("%+v, and %d more", e, len(f.events))
	}
}

// TestAhead: what is to come is told with its times (RFC 4481), and a meeting
// that is on is no longer among it.
func TestAhead(t *testing.T) {
	w := newWorld(t)
	f := w.feed(func(c *calendar.Config) { c.Ahead, c.Style.Summaries = 3*time.Hour, true })
	later := "UID:l SUMMARY:Later<&> DTSTART:20261125T140000Z DTEND:20261125T150000Z"
	f.says(later, "UID:t SUMMARY:Tomorrow DTSTART:20261126T140000Z DTEND:20261126T150000Z")
	p := f.next("create 3600 200")
	if found, err := pidf.Validate(p.body, pidf.DefaultLimits()); err != nil || len(found) > 0 {
		t.Errorf("%v %v\n%s", found, err, p.body)
	}
	d, err := pidf.Parse(p.body, pidf.DefaultLimits())
	w.must(err)
	if len(d.Persons) != 0 || len(d.Tuples) != 1 || len(d.Tuples[0].Extensions) != 1 {
		t.Fatalf("%s", p.body)
	}
	timed := d.Tuples[0].Extensions[0]
	if timed.Name() != (pidf.Name{Space: pidf.NSTimed, Local: "timed-status"}) || timed.Attr(pidf.Name{Local: "from"}) != "2026-11-25T14:00:00Z" ||
		timed.Attr(pidf.Name{Local: "until"}) != "2026-11-25T15:00:00Z" || timed.Children()[0].Text() != "Later<&>" {
		t.Errorf("%s", timed.XML())
	}
	f.says(later, meeting)
	if p = f.next("modify 1800 200"); strings.Count(string(p.body), "timed-status ") != 1 || !strings.Contains(string(p.body), "Budget") {
		t.Errorf("%s", p.body)
	}
	f.turn(2 * time.Hour)
	for p = range f.all {
		if strings.Contains(string(p.body), "14:00:00Z") && !strings.Contains(string(p.body), "timed-status") {
			break // on, and no longer to come
		}
	}
}
