package ical

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func mustLoad(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// calendar puts events, each its lines separated by blanks or newlines, into a
// calendar; what does not begin with an event's property stands before them.
func calendar(events ...string) []byte {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\n")
	for _, e := range events {
		if strings.HasPrefix(e, "BEGIN:") || strings.HasPrefix(e, "X-") {
			b.WriteString(e + "\n")
			continue
		}
		b.WriteString("BEGIN:VEVENT\n" + strings.Join(strings.Fields(e), "\n") + "\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return []byte(b.String())
}

// show is an occurrence in UTC, short.
func show(o Occurrence) string {
	form := "0102T1504"
	s := o.Start.UTC().Format(form) + "-" + o.End.UTC().Format(form)
	if o.Summary != "" {
		s += " " + o.Summary
	}
	return s
}

// TestVectors: what was worked out by hand from the RFC, in 2026 and UTC; events
// are read for Europe/Berlin.
func TestVectors(t *testing.T) {
	const year = "20260101-20270101"
	for name, v := range map[string]struct {
		events []string
		span   string
		want   string // occurrences, separated by ", "
		warns  string // in the one warning; empty: none
	}{
		"the first of two local times": {
			[]string{"DTSTART;TZID=Europe/Berlin:20261025T023000 DURATION:PT10M"}, year, "1025T0030-1025T0040", ""},
		"the first of two in the west": {
			[]string{"DTSTART;TZID=America/New_York:20261101T013000 DURATION:PT10M"}, year, "1101T0530-1101T0540", ""},
		"a local time that is skipped": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260329T023000 DURATION:PT10M"}, year, "0329T0130-0329T0140", ""},
		"a skipped one in the west": {
			[]string{"DTSTART;TZID=America/New_York:20260308T023000 DURATION:PT10M"}, year, "0308T0730-0308T0740", ""},
		"a skipped one of a series": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T023000 DURATION:PT10M RRULE:FREQ=DAILY;COUNT=3"}, year,
			"0328T0130-0328T0140, 0329T0130-0329T0140, 0330T0030-0330T0040", ""},
		"an end on the other side of the change is exact": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260327T220000 DTEND;TZID=Europe/Berlin:20260328T220000 RRULE:FREQ=DAILY;COUNT=2"}, year,
			"0327T2100-0328T2100, 0328T2100-0329T2100", ""},
		"a duration of days is by the calendar": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260327T220000 DURATION:P1D RRULE:FREQ=DAILY;COUNT=2"}, year,
			"0327T2100-0328T2100, 0328T2100-0329T2000", ""},
		"a duration in weeks, and days and hours": {
			[]string{"DTSTART:20260301T000000Z DURATION:P1W", "DTSTART:20260401T000000Z DURATION:P1DT2H3M4S"}, year,
			"0301T0000-0308T0000, 0401T0000-0402T0203", ""},
		"COUNT counts DTSTART though the rule does not have it": {
			[]string{"DTSTART:20260106T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3"}, year,
			"0106T1000-0106T1100, 0109T1000-0109T1100, 0116T1000-0116T1100", ""},
		"COUNT is counted from the beginning": {
			[]string{"DTSTART:20250101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=367"}, year,
			"0101T1000-0101T1100, 0102T1000-0102T1100", ""},
		"UNTIL in UTC is compared as UTC": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T003000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329T223000Z"}, year,
			"0327T2330-0328T0030, 0328T2330-0329T0030, 0329T2230-0329T2330", ""},
		"UNTIL a second earlier": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T003000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329T222959Z"}, year,
			"0327T2330-0328T0030, 0328T2330-0329T0030", ""},
		"UNTIL as local time": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T003000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329T003000"}, year,
			"0327T2330-0328T0030, 0328T2330-0329T0030", ""},
		"UNTIL as a day, with times": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T003000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329"}, year,
			"0327T2330-0328T0030, 0328T2330-0329T0030", ""},
		"UNTIL as a time, with days": {
			[]string{"DTSTART;VALUE=DATE:20260328 RRULE:FREQ=DAILY;UNTIL=20260329T000000Z"}, year,
			"0327T2300-0328T2300, 0328T2300-0329T2200", ""},
		"RDATE as periods": {
			[]string{"DTSTART:20260301T100000Z DURATION:PT1H RDATE;VALUE=PERIOD:20260302T100000Z/PT2H,20260303T100000Z/20260303T130000Z"}, year,
			"0301T1000-0301T1100, 0302T1000-0302T1200, 0303T1000-0303T1300", ""},
		"RDATE that the rule has, longer": {
			[]string{"DTSTART:20260301T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 RDATE;VALUE=PERIOD:20260302T100000Z/PT2H"}, year,
			"0301T1000-0301T1100, 0302T1000-0302T1200", ""},
		"RDATE in another zone, once more": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260301T100000 DURATION:PT1H RDATE:20260301T090000Z,20260701T090000Z"}, year,
			"0301T0900-0301T1000, 0701T0900-0701T1000", ""},
		"EXDATE as a day, of a time": {
			[]string{"DTSTART:20260301T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3 EXDATE;VALUE=DATE:20260302"}, year,
			"0301T1000-0301T1100, 0303T1000-0303T1100", ""},
		"EXDATE of DTSTART, floating": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260301T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 EXDATE:20260301T100000"}, year,
			"0302T0900-0302T1000", ""},
		"what stands twice in a rule is once": {
			[]string{"DTSTART:20260101T080000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTHDAY=1,1,8;BYHOUR=8,8;BYMINUTE=0,0;BYSETPOS=2,2;COUNT=3"}, year,
			"0101T0800-0101T0900, 0108T0800-0108T0900, 0208T0800-0208T0900", ""},
		"an override moved into the span": {
			[]string{"UID:a SUMMARY:m DTSTART:20250301T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2",
				"UID:a SUMMARY:o RECURRENCE-ID:20250302T100000Z DTSTART:20260302T110000Z DURATION:PT1H"}, year,
			"0302T1100-0302T1200 o", ""},
		"an override moved out of the span": {
			[]string{"UID:a SUMMARY:m DTSTART:20260301T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2",
				"UID:a SUMMARY:o RECURRENCE-ID:20260302T100000Z DTSTART:20250302T110000Z DURATION:PT1H"}, year,
			"0301T1000-0301T1100 m", ""},
		"an override that names its day": {
			[]string{"UID:a SUMMARY:m DTSTART;TZID=Europe/Berlin:20260301T003000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2",
				"UID:a SUMMARY:o RECURRENCE-ID;VALUE=DATE:20260302 DTSTART:20260302T110000Z DURATION:PT1H"}, year,
			"0228T2330-0301T0030 m, 0302T1100-0302T1200 o", ""},
		"the override of one of two on a day": {
			[]string{"UID:a SUMMARY:m DTSTART:20260301T080000Z DURATION:PT1H RRULE:FREQ=DAILY;BYHOUR=8,12;COUNT=2",
				"UID:a SUMMARY:o RECURRENCE-ID:20260301T120000Z DTSTART:20260301T130000Z DURATION:PT1H"}, year,
			"0301T0800-0301T0900 m, 0301T1300-0301T1400 o", ""},
		"an override of two versions": {
			[]string{"UID:a SUMMARY:new SEQUENCE:3 RECURRENCE-ID:20260302T100000Z DTSTART:20260302T140000Z DURATION:PT1H",
				"UID:a SUMMARY:old SEQUENCE:2 RECURRENCE-ID:20260302T100000Z DTSTART:20260302T130000Z DURATION:PT1H"}, year,
			"0302T1400-0302T1500 new", ""},
		"an event of two versions": {
			[]string{"UID:a SUMMARY:old SEQUENCE:2 DTSTART:20260302T130000Z DURATION:PT1H",
				"UID:a SUMMARY:new SEQUENCE:3 DTSTART:20260302T140000Z DURATION:PT1H"}, year,
			"0302T1400-0302T1500 new", ""},
		"this and future": {
			[]string{"UID:a SUMMARY:m DTSTART;TZID=Europe/Berlin:20260320T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;COUNT=4",
				"UID:a SUMMARY:later RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260327T100000 DTSTART;TZID=Europe/Berlin:20260328T110000 DURATION:PT2H",
				"UID:a SUMMARY:once RECURRENCE-ID;TZID=Europe/Berlin:20260403T100000 DTSTART;TZID=Europe/Berlin:20260403T070000 DURATION:PT1H"}, year,
			"0320T0900-0320T1000 m, 0328T1000-0328T1200 later, 0403T0500-0403T0600 once, 0411T0900-0411T1100 later", ""},
		"this and future cancelled": {
			[]string{"UID:a SUMMARY:m DTSTART:20260320T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY",
				"UID:a STATUS:CANCELLED RECURRENCE-ID;RANGE=THISANDFUTURE:20260327T100000Z DTSTART:20260327T100000Z DURATION:PT1H"}, year,
			"0320T1000-0320T1100 m", ""},
		"whole days are in the zone that is asked for": {
			[]string{"X-WR-TIMEZONE:America/New_York", "DTSTART;VALUE=DATE:20260329"}, year, "0328T2300-0329T2200", ""},
		"floating times": {[]string{"DTSTART:20260701T100000 DTEND:20260701T110000"}, year, "0701T0800-0701T0900", ""},
		"floating times, X-WR-TIMEZONE": {
			[]string{"X-WR-TIMEZONE:America/New_York", "DTSTART:20260701T100000 DTEND:20260701T110000"}, year, "0701T1400-0701T1500", ""},
		"UTC stays UTC": {
			[]string{"X-WR-TIMEZONE:Europe/Berlin", "DTSTART:20260328T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2"}, year,
			"0328T1000-0328T1100, 0329T1000-0329T1100", ""},
		"a zone of Mozilla's": {
			[]string{"DTSTART;TZID=/mozilla.org/20050126_1/Europe/Berlin:20260701T100000 DURATION:PT1H"}, year, "0701T0800-0701T0900", ""},
		"a zone of nobody's": {
			[]string{"UID:a DTSTART;TZID=Mars/Olympus:20260701T100000", "DTSTART:20260101T000000Z DURATION:PT1H"}, year, "0101T0000-0101T0100",
			`line 2: event a: left out: DTSTART: time zone "Mars/Olympus"`},
		"Local is no zone": {[]string{"DTSTART;TZID=Local:20260701T100000"}, year, "", `time zone "Local"`},
		"every 8 hours, across the change": {
			[]string{"DTSTART;TZID=Europe/Berlin:20260328T200000 DURATION:PT1H RRULE:FREQ=HOURLY;INTERVAL=8;COUNT=3"}, year,
			"0328T1900-0328T2000, 0329T0200-0329T0300, 0329T1000-0329T1100", ""},
		"an end before the start": {
			[]string{"UID:a DTSTART:20260301T100000Z DTEND:20260301T090000Z", "DTSTART:20260101T000000Z DURATION:PT1H"}, year,
			"0101T0000-0101T0100", "event a: left out: it ends before it starts"},
		"what begins before the span and comes into it": {
			[]string{"DTSTART:20240301T100000Z DURATION:P400D RRULE:FREQ=YEARLY;INTERVAL=10", "DTSTART:20251231T230000Z DTEND:20260101T000000Z"}, "20250101-20250201",
			"0301T1000-0405T1000", ""},
		"the span is half open": {
			[]string{"DTSTART:20260101T000000Z DURATION:PT1H RRULE:FREQ=DAILY", "DTSTART:20260103T000000Z", "DTSTART:20260102T000000Z SUMMARY:moment"}, "20260102-20260103",
			"0102T0000-0102T0000 moment, 0102T0000-0102T0100", ""},
		"a summary with escapes":   {[]string{`DTSTART:20260301T100000Z SUMMARY:a\,b\;c\\d`}, year, `0301T1000-0301T1000 a,b;c\d`, ""},
		"a parameter in quotes":    {[]string{`DTSTART;X="a:b;c";TZID="Europe/Berlin":20260701T100000 DURATION:PT1H`}, year, "0701T0800-0701T0900", ""},
		"in small letters":         {[]string{"dtstart;tzid=Europe/Berlin:20260701T100000 duration:pt1h rrule:freq=daily;count=1;"}, year, "0701T0800-0701T0900", ""},
		"a rule that is empty":     {[]string{"DTSTART:20260301T100000Z RRULE: EXDATE;VALUE=DATE:20250101"}, year, "0301T1000-0301T1000", ""},
		"29 February, from before": {[]string{"DTSTART;VALUE=DATE:16040229 RRULE:FREQ=YEARLY"}, "20280101-20290101", "0228T2300-0229T2300", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cal, err := Read(calendar(v.events...), Options{Zone: mustLoad(t, "Europe/Berlin")})
			if err != nil {
				t.Fatal(err)
			}
			from, _ := time.Parse(dateForm, v.span[:8])
			until, _ := time.Parse(dateForm, v.span[9:])
			busy, warnings, err := cal.Busy(t.Context(), from, until)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range busy {
				got = append(got, show(o))
			}
			if s := strings.Join(got, ", "); s != v.want {
				t.Errorf("%s\nwant %s", s, v.want)
			}
			warnings = append(cal.Warnings, warnings...)
			if said := fmt.Sprint(warnings); v.warns == "" && len(warnings) > 0 || v.warns != "" && (len(warnings) != 1 || !strings.Contains(said, v.warns)) {
				t.Errorf("warnings %s, want %q", said, v.warns)
			}
		})
	}
}

// TestBrokenRecurrence: each rule is told with its line, the first occurrence is
// there all the same, nothing is walked for long, and the event beside it is
// untouched.
func TestBrokenRecurrence(t *testing.T) {
	for rule, says := range map[string]string{
		"FREQ=FORTNIGHTLY":                                "FORTNIGHTLY",
		"INTERVAL=2":                                      "FREQ is missing",
		"FREQ=DAILY;COUNT=0":                              "COUNT=0",
		"FREQ=DAILY;INTERVAL=0":                           "INTERVAL=0",
		"FREQ=DAILY;INTERVAL=-1":                          "INTERVAL",
		"FREQ=DAILY;COUNT=-5":                             "COUNT",
		"FREQ=DAILY;COUNT=x":                              "x",
		"FREQ=DAILY;FREQ=WEEKLY":                          "twice",
		"FREQ=DAILY;UNTIL=tomorrow":                       "UNTIL",
		"FREQ=DAILY;UNTIL=20260231":                       "UNTIL",
		"FREQ=DAILY;BYHOUR=25":                            "byhour",
		"FREQ=WEEKLY;BYDAY=XX":                            "XX",
		"FREQ=MONTHLY;BYDAY=99MO":                         "byday",
		"FREQ=DAILY;INTERVAL=99999999999":                 "count",
		"FREQ=SECONDLY;INTERVAL=9223372036854775807":      "count",
		"FREQ=DAILY;COUNT=99999999999999999999":           "range",
		"FREQ":                                            "FREQ",
		";;;":                                             "FREQ is missing",
		"RSCALE=CHINESE;FREQ=YEARLY":                      "RSCALE",
		"FREQ=SECONDLY":                                   "too dense",
		"FREQ=SECONDLY;COUNT=999999999":                   "too dense",
		"FREQ=HOURLY;INTERVAL=2;BYHOUR=1":                 "never occurs",
		"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1":            "never occurs",
		"FREQ=SECONDLY;INTERVAL=3600;BYSECOND=1;COUNT=10": "never occurs",
		"FREQ=MINUTELY;BYSETPOS=2":                        "BYSETPOS",
	} {
		t.Run(rule, func(t *testing.T) {
			cal, err := Read(calendar("UID:bad DTSTART:20200101T000000Z DURATION:PT1H RRULE:"+rule, "SUMMARY:good DTSTART:20200102T000000Z"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			begun := time.Now()
			busy, warnings, err := cal.Busy(t.Context(), from, from.AddDate(1, 0, 0))
			if d := time.Since(begun); d > 10*time.Second {
				t.Errorf("it took %s", d)
			}
			if err != nil || len(busy) != 2 || show(busy[0]) != "0101T0000-0101T0100" || busy[1].Summary != "good" {
				t.Errorf("%v %v", busy, err)
			}
			warnings = append(cal.Warnings, warnings...)
			if len(warnings) != 1 || warnings[0].UID != "bad" || warnings[0].Line < 2 || warnings[0].Line > 6 || !strings.Contains(warnings[0].What, says) {
				t.Errorf("%v, want %q", warnings, says)
			}
		})
	}
}

// TestNeverOccurs: rules that are right and have no day in all eternity end soon,
// and nothing is said of them.
func TestNeverOccurs(t *testing.T) {
	for _, rule := range []string{
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31", "FREQ=WEEKLY;BYMONTH=1;BYYEARDAY=200",
		"FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1", "FREQ=HOURLY;BYMONTH=6;BYMONTHDAY=31", "FREQ=MINUTELY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=30;BYHOUR=3",
	} {
		cal, err := Read(calendar("UID:a DTSTART:20200101T000000Z RRULE:"+rule), Options{})
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		begun := time.Now()
		busy, warnings, err := cal.Busy(t.Context(), from, from.AddDate(1, 0, 0))
		if d := time.Since(begun); len(busy)+len(warnings)+len(cal.Warnings) > 0 || err != nil || d > 5*time.Second {
			t.Errorf("%s: %v %v %v in %s", rule, busy, warnings, err, d)
		}
	}
}

// TestBrokenParts: what is wrong is told with its line, and costs itself alone.
func TestBrokenParts(t *testing.T) {
	const good = "BEGIN:VEVENT\nSUMMARY:good\nDTSTART:20200102T000000Z\nEND:VEVENT\n"
	for name, v := range map[string]struct{ text, says string }{
		"no DTSTART":           {"BEGIN:VEVENT\nUID:x\nEND:VEVENT\n", "line 2: event x: left out: DTSTART is missing"},
		"no colon":             {"BEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin\nEND:VEVENT\n", "line 3: "},
		"after a quote":        {"BEGIN:VEVENT\nDTSTART;TZID=\"a\"b:20200101\nEND:VEVENT\n", "line 3: "},
		"an open quote":        {"BEGIN:VEVENT\nDTSTART;TZID=\"a:20200101\nEND:VEVENT\n", "line 3: "},
		"a long parameter":     {"BEGIN:VEVENT\nDTSTART;X=" + strings.Repeat("x", 1<<20) + ":20200101\nEND:VEVENT\n", "line 3: "},
		"no such day":          {"BEGIN:VEVENT\nDTSTART:20200230\nEND:VEVENT\n", "is no time"},
		"a wrong duration":     {"BEGIN:VEVENT\nDTSTART:20200102T000000Z\nDURATION:P1H\nEND:VEVENT\n", "is no duration"},
		"an endless duration":  {"BEGIN:VEVENT\nDTSTART:20200102T000000Z\nDURATION:P999999999W\nEND:VEVENT\n", "hundred years"},
		"the wrong END":        {"BEGIN:VEVENT\nUID:x\nBEGIN:VALARM\nEND:VEVENT\n", ""},
		"an END too many":      {"END:VEVENT\n", ""},
		"another kind of END":  {"BEGIN:VEVENT\nDTSTART:20200101\nEND:VTODO\nUID:x\nEND:VEVENT\n", "line 4: END:VTODO"},
		"noise between events": {"hello\n\n \n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cal, err := Read([]byte("BEGIN:VCALENDAR\n"+v.text+good+"END:VCALENDAR\n"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			from := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
			busy, _, err := cal.Busy(t.Context(), from, from.AddDate(0, 0, 1))
			if err != nil || len(busy) != 1 || busy[0].Summary != "good" {
				t.Errorf("%v %v %v", busy, cal.Warnings, err)
			}
			if v.says != "" && (len(cal.Warnings) == 0 || !strings.Contains(cal.Warnings[0].String(), v.says)) {
				t.Errorf("%v, want %q", cal.Warnings, v.says)
			}
		})
	}
	cut, err := Read([]byte("BEGIN:VCALENDAR\n"+good+"BEGIN:VEVENT\nDTSTART:20200103\n"), Options{})
	if err != nil || len(cut.Warnings) < 2 || !strings.Contains(cut.Warnings[0].What, "cut short") {
		t.Errorf("%+v %v", cut, err)
	}
}

func TestNotACalendar(t *testing.T) {
	for _, text := range []string{"", "\n\n", "<!DOCTYPE html>", "{}", "BEGIN:VCARD\nEND:VCARD\n", "BEGIN:VEVENT\nEND:VEVENT\n", "\x00\x01\x02", "BEGIN:VCALENDAR\nEND:VCALENDAR\nhello\n"} {
		if _, err := Read([]byte(text), Options{}); !errors.Is(err, ErrNotCalendar) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Read([]byte("\xef\xbb\xbfBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), Options{}); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	two := calendar("DTSTART:20260101 RRULE:FREQ=DAILY", "DTSTART:20260101")
	for name, l := range map[string]Limits{"bytes": {Bytes: 20}, "events": {Events: 1}} {
		if _, err := Read(two, Options{Limits: l}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read([]byte(strings.Repeat("BEGIN:VCALENDAR\n", 100)), Options{}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	cal, err := Read(two, Options{Limits: Limits{Occurrences: 10}})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if busy, _, err := cal.Busy(t.Context(), from, from.AddDate(0, 0, 9)); err != nil || len(busy) != 10 {
		t.Errorf("%d %v", len(busy), err)
	}
	if _, _, err := cal.Busy(t.Context(), from, from.AddDate(0, 0, 10)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
