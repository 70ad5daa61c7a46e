package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"presfed/agents/calendar"
	"presfed/agents/calendar/ical"
)

// listCalendars is --dry-run: when users are busy, a line each. What could not be
// understood is told, and makes the list incomplete.
func listCalendars(ctx context.Context, opts calendarOptions, zone *time.Location, feeds []userFeed) error {
	from, err := parseWhen("--from", opts.from, time.Now(), zone)
	if err != nil {
		return err
	}
	until, err := parseWhen("--until", opts.until, from.AddDate(0, 0, 7), zone)
	if err != nil {
		return err
	}
	if !from.Before(until) {
		return usage("--until comes after --from", "--from %s --until %s: there is no time between", from.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	ctx, cancel := context.WithTimeout(ctx, max(opts.device.timeout, time.Minute))
	defer cancel()
	var wrong []calendar.Warning
	for _, u := range feeds {
		busy, warnings, err := calendar.List(ctx, u.sources, zone, from, until)
		if err != nil {
			if f := sourceFailure(err); f != nil {
				return f
			}
			return err
		}
		for _, o := range busy {
			if err := printOccurrence(opts.con, o, u.user, len(feeds) > 1); err != nil {
				return err
			}
		}
		wrong = append(wrong, warnings...)
	}
	for _, w := range wrong {
		if err := printWarning(opts.con, w); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return usage("what else the calendar says is listed", "the list may be incomplete: %s%s", wrong[0], others(len(wrong)-1))
	}
	return nil
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

func printOccurrence(con *console, o ical.Occurrence, user string, several bool) error {
	if !several {
		user = ""
	}
	return con.result(struct {
		Start   time.Time `json:"start"`
		End     time.Time `json:"end"`
		AllDay  bool      `json:"all_day"`
		Summary string    `json:"summary,omitempty"`
		UID     string    `json:"uid,omitempty"`
		User    string    `json:"user,omitempty"`
	}{o.Start, o.End, o.AllDay, o.Summary, o.UID, user}, func(w io.Writer) error {
		form := "2006-01-02 15:04 -0700"
		if o.AllDay {
			form = "2006-01-02            "
		}
		if user != "" {
			user += "  "
		}
		_, err := fmt.Fprintf(w, "%s%s  %s  %s\n", user, o.Start.Format(form), o.End.Format(form), printable(o.Summary))
		return err
	})
}

func printWarning(con *console, w calendar.Warning) error {
	if !con.json {
		_, err := fmt.Fprintf(con.talk, "warning: %s\n", printable(w.String()))
		return err
	}
	return con.result(struct {
		Type    string `json:"type"`
		Source  string `json:"source"`
		Line    int    `json:"line,omitempty"`
		UID     string `json:"uid,omitempty"`
		Message string `json:"message"`
	}{"warning", w.Source, w.Line, w.UID, w.What}, nil)
}

// parseWhen reads a time as people write it.
func parseWhen(flag, text string, otherwise time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.In(zone), nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usage("as in 2026-11-25T09:30:00+01:00, 2026-11-25T09:30 or 2026-11-25", "%s %q is no time", flag, text)
}

// parseZone reads a time zone's name; the empty one is the machine's.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, usage("a name of the IANA database, as Europe/Berlin or UTC", "--tz: %v", err)
	}
	return zone, nil
}
