package calendar

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"presfed/agents/calendar/ical"
	"presfed/pidf"
)

// Style is how what a calendar says is told to watchers.
type Style struct {
	// Note is what they read of an occurrence; empty: DefaultNote.
	Note string
	// Summaries has them read its summary instead, unless the event is private
	// (CLASS) or has none.
	Summaries bool
	// Activities are those of RFC 4480 that it is; none: busy and meeting.
	Activities []string
	Dialect    pidf.Dialect
}

// DefaultNote is the call-flows draft's, and says nothing of what the meeting is
// about.
const DefaultNote = "I am in a Meeting"

// ParseActivities reads names of RFC 4480's activities.
func ParseActivities(names []string) ([]string, error) {
	for _, n := range names {
		switch n {
		case "appointment", "away", "breakfast", "busy", "dinner", "holiday", "in-transit", "looking-for-work", "lunch", "meal", "meeting",
			"on-the-phone", "performance", "permanent-absence", "playing", "presentation", "shopping", "sleeping", "spectator", "steering",
			"travel", "tv", "unknown", "vacation", "working", "worship":
		default:
			return nil, fmt.Errorf("%q is no activity of RFC 4480", n)
		}
	}
	return names, nil
}

func (s Style) note(o ical.Occurrence) string {
	if summary := strings.TrimSpace(o.Summary); s.Summaries && !o.Private && summary != "" {
		return summary
	}
	return cmp.Or(s.Note, DefaultNote)
}

func (s Style) activities() (out []pidf.Activity) {
	names := s.Activities
	if len(names) == 0 {
		names = []string{pidf.Busy, "meeting"}
	}
	for _, n := range names {
		out = append(out, pidf.Activity{Name: n})
	}
	return out
}

// document is what is published: what is on now, if anything, and what is to
// come.
func (s Style) document(entity string, now *ical.Occurrence, coming []ical.Occurrence) []byte {
	d := pidf.Document{Entity: entity}
	if now != nil {
		d.Persons = []pidf.Person{{
			ID: "calendar", Class: pidf.ClassCalendar,
			Activities: []pidf.Activities{{
				Notes: []pidf.Note{{Text: s.note(*now)}}, Items: s.activities(),
				Attrs: []pidf.Attr{{Name: pidf.Name{Local: "from"}, Value: stamp(now.Start)}, {Name: pidf.Name{Local: "until"}, Value: stamp(now.End)}},
			}},
		}}
	}
	if len(coming) > 0 {
		d.Tuples = []pidf.Tuple{s.timed(coming)}
	}
	return pidf.Write(d, s.Dialect)
}

// timed is a service that says nothing of the present, and of what is to come
// says when (RFC 4481).
func (s Style) timed(coming []ical.Occurrence) pidf.Tuple {
	var b strings.Builder
	fmt.Fprintf(&b, `<presence xmlns=%q xmlns:ts=%q xmlns:rpid=%q entity="sip:x"><tuple id="calendar-ahead"><status/>`, pidf.NSPIDF, pidf.NSTimed, pidf.NSRPID)
	for _, o := range coming {
		fmt.Fprintf(&b, `<ts:timed-status from="%s" until="%s"><ts:note>%s</ts:note><rpid:activities>`, stamp(o.Start), stamp(o.End), escape(s.note(o)))
		for _, a := range s.activities() {
			fmt.Fprintf(&b, `<rpid:%s/>`, a.Name)
		}
		b.WriteString(`</rpid:activities></ts:timed-status>`)
	}
	b.WriteString(`</tuple></presence>`)
	d, err := pidf.Parse([]byte(b.String()), pidf.DefaultLimits())
	if err != nil || len(d.Tuples) != 1 {
		return pidf.Tuple{ID: "calendar-ahead"} // summaries too long for a document
	}
	return d.Tuples[0]
}

// stamp is a time as XML writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
