package ical

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestWindowsZones: noon of 1 January and 1 July 2026 in zones by their Windows
// names, as UTC; worked out by hand.
func TestWindowsZones(t *testing.T) {
	for name, want := range map[string][2]string{
		"W. Europe Standard Time":      {"11:00", "10:00"},
		"Romance Standard Time":        {"11:00", "10:00"},
		"Central Europe Standard Time": {"11:00", "10:00"},
		"GMT Standard Time":            {"12:00", "11:00"},
		"Greenwich Standard Time":      {"12:00", "12:00"},
		"UTC":                          {"12:00", "12:00"},
		"Eastern Standard Time":        {"17:00", "16:00"},
		"US Eastern Standard Time":     {"17:00", "16:00"},
		"Pacific Standard Time":        {"20:00", "19:00"},
		"US Mountain Standard Time":    {"19:00", "19:00"},
		"India Standard Time":          {"06:30", "06:30"},
		"Nepal Standard Time":          {"06:15", "06:15"},
		"Tokyo Standard Time":          {"03:00", "03:00"},
		"AUS Eastern Standard Time":    {"01:00", "02:00"},
		"Cen. Australia Standard Time": {"01:30", "02:30"},
		"E. Australia Standard Time":   {"02:00", "02:00"},
		"New Zealand Standard Time":    {"23:00", "00:00"},
		"Newfoundland Standard Time":   {"15:30", "14:30"},
		"pacific standard time":        {"20:00", "19:00"}, // in any case
		`"tzone://Microsoft/Utc"`:      {"12:00", "12:00"},
	} {
		for i, day := range []string{"20260101", "20260701"} {
			text := strings.ReplaceAll(string(calendar("DTSTART;TZID=ZONE:"+day+"T120000")), "ZONE", name)
			cal, err := Read([]byte(text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			busy, _, err := cal.Busy(t.Context(), time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
			if err != nil || len(busy) != 1 || busy[0].Start.Format("15:04") != want[i] {
				t.Errorf("%s, %s: %v %v %v, want %s", name, day, busy, cal.Warnings, err, want[i])
			}
		}
	}
}

// TestWindowsTable holds the table against Go's own, which was made from the same
// facts for another purpose, and against the zones there are.
func TestWindowsTable(t *testing.T) {
	for name, zone := range windowsZones {
		if iana(zone) == nil {
			t.Errorf("%s: no zone is called %s", name, zone)
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "time", "zoneinfo_abbrs_windows.go"))
	if err != nil {
		t.Skip("NOT TESTED: the table against Go's, whose source is not here: ", err)
	}
	rows := regexp.MustCompile(`"([^"]+)":\s*\{[^}]*\},?\s*// (\S+)`).FindAllStringSubmatch(string(source), -1)
	if len(rows) < 100 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		if windowsZones[strings.ToLower(row[1])] == "" {
			t.Errorf("%s is missing (%s)", row[1], row[2])
		}
	}
}

// TestOwnZoneAgainstTheDatabase: every hour of five years and those around each
// change, in a zone that a calendar defines as Berlin's is.
func TestOwnZoneAgainstTheDatabase(t *testing.T) {
	text := "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Ours\n" +
		"BEGIN:STANDARD\nDTSTART:19961027T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:19810329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\n" +
		"END:VTIMEZONE\nEND:VCALENDAR\n"
	calendars, err := cut(lines([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := (&reader{}).define(calendars[0].children[0])
	if err != nil {
		t.Fatal(err)
	}
	theirs := &zone{loc: mustLoad(t, "Europe/Berlin")}
	for wall := time.Date(2023, 1, 1, 0, 30, 0, 0, time.UTC); wall.Year() < 2028; wall = wall.Add(time.Hour) {
		if a, b := ours.resolve(wall), theirs.resolve(wall); !a.Equal(b) {
			t.Fatalf("%s: %s, in the database %s", wall, a, b)
		}
	}
}

func TestBrokenZones(t *testing.T) {
	for _, body := range []string{
		"", "BEGIN:STANDARD\nEND:STANDARD\n",
		"BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+9900\nEND:STANDARD\n",
		"BEGIN:STANDARD\nDTSTART:nonsense\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n",
		"BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=SECONDLY\nEND:STANDARD\n",
		"BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=DAILY\nEND:STANDARD\n",
	} {
		text := fmt.Sprintf("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Ours\n%sEND:VTIMEZONE\n"+
			"BEGIN:VEVENT\nUID:x\nDTSTART;TZID=Ours:20260101T000000\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR\n", body)
		cal, err := Read([]byte(text), Options{})
		if err != nil || len(cal.Warnings) != 1 || cal.Warnings[0].UID != "x" || !strings.Contains(cal.Warnings[0].What, "VTIMEZONE") || len(cal.series) != 1 {
			t.Errorf("%q: %+v %v", body, cal, err)
		}
	}
}
