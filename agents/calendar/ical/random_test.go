package ical

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRandomRules compares rules that nobody has thought of with the independent
// expander's; PRESFED_SEED gives others.
func TestRandomRules(t *testing.T) {
	needExpander(t)
	t.Parallel()
	seed := uint64(20261125)
	if s := os.Getenv("PRESFED_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PRESFED_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range 60 {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\n%sEND:VEVENT\r\n", i, randomEvent(r, i))
	}
	b.WriteString("END:VCALENDAR\r\n")
	file := filepath.Join(t.TempDir(), "random.ics")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	total := 0
	asked := []question{{"UTC", "20250101T000000", "20270101T000000"}, {"America/New_York", "20260301T000000", "20260401T000000"}}
	for i, want := range theirs(t, file, asked) {
		compare(t, file, asked[i], want)
		total += len(want)
	}
	t.Logf("%d occurrences are the same", total)
	if total < 1000 {
		t.Error("there is little to compare")
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

// randomEvent is an event whose rule both understand in the same way: its times
// are not those that a change of the clocks skips or repeats, and COUNT stands
// with rules alone that DTSTART is in.
func randomEvent(r *rand.Rand, i int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	some := func(n, low, high int) string {
		var all []string
		for range 1 + r.IntN(n) {
			all = append(all, strconv.Itoa(low+r.IntN(high-low+1)))
		}
		return strings.Join(all, ",")
	}
	signed := func(n, high int) string {
		var all []string
		for range 1 + r.IntN(n) {
			x := 1 + r.IntN(high)
			all = append(all, strconv.Itoa(x-2*x*r.IntN(2)))
		}
		return strings.Join(all, ",")
	}
	days := []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}
	start := time.Date(2024+r.IntN(2), time.Month(1+r.IntN(12)), 1+r.IntN(28), 8+r.IntN(12), 5*r.IntN(12), 0, 0, time.UTC)
	zone := pick("", ";TZID=Europe/Berlin", ";TZID=America/New_York", ";TZID=Australia/Sydney", "Z", ";VALUE=DATE")
	text := func(at time.Time) string {
		switch zone {
		case "Z":
			return ":" + at.Format(utcForm)
		case ";VALUE=DATE":
			return zone + ":" + at.Format(dateForm)
		}
		return zone + ":" + at.Format(localForm)
	}
	freq := pick("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
	rule := []string{"FREQ=" + freq}
	if r.IntN(2) == 0 {
		rule = append(rule, "INTERVAL="+strconv.Itoa(1+r.IntN(4)))
	}
	if r.IntN(4) == 0 {
		rule = append(rule, "WKST="+pick(days...))
	}
	plain := r.IntN(4) == 0
	if !plain {
		// Together they may never occur, and dateutil looks for them up to the year 9999.
		switch x := r.IntN(7); {
		case x == 0 || x == 1:
			rule = append(rule, "BYMONTH="+some(4, 1, 12))
		case freq != "WEEKLY" && x == 2:
			rule = append(rule, "BYMONTHDAY="+signed(3, 28))
		case freq == "YEARLY" && x == 3:
			rule = append(rule, "BYYEARDAY="+signed(4, 365))
		case freq == "YEARLY" && x == 4:
			rule = append(rule, "BYWEEKNO="+signed(4, 52))
		}
		if r.IntN(2) == 0 {
			day := pick(days...)
			if freq == "MONTHLY" && r.IntN(2) == 0 {
				day = signed(1, 5) + day
			}
			rule = append(rule, "BYDAY="+day+","+pick(days...))
		}
		if zone != ";VALUE=DATE" && r.IntN(4) == 0 {
			rule = append(rule, "BYHOUR="+some(3, 5, 20))
		}
		if len(rule) > 2 && r.IntN(4) == 0 {
			rule = append(rule, "BYSETPOS="+signed(2, 4))
		}
	}
	switch {
	case plain && r.IntN(2) == 0:
		rule = append(rule, "COUNT="+strconv.Itoa(1+r.IntN(40)))
	case r.IntN(3) == 0:
		end := start.AddDate(0, r.IntN(30), r.IntN(30))
		form := map[string]string{"": localForm, ";VALUE=DATE": dateForm}[zone]
		if form == "" {
			form = utcForm
		}
		rule = append(rule, "UNTIL="+end.Format(form))
	}
	lasts := time.Duration(15+r.IntN(300)) * time.Minute
	if zone == ";VALUE=DATE" {
		lasts = time.Duration(1+r.IntN(3)) * 24 * time.Hour
	}
	s := fmt.Sprintf("SUMMARY:%d\r\nDTSTART%s\r\nDTEND%s\r\nRRULE:%s\r\n", i, text(start), text(start.Add(lasts)), strings.Join(rule, ";"))
	if r.IntN(3) == 0 {
		s += "EXDATE" + text(start.AddDate(0, 0, 7*r.IntN(20))) + "\r\n"
	}
	if !strings.HasPrefix(zone, ";TZID") && r.IntN(4) == 0 { // they take one in summer for what a rule has an hour earlier
		s += "RDATE" + text(start.AddDate(0, r.IntN(24), 3)) + "\r\n"
	}
	return s
}
