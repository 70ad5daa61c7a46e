package calendar

import (
	"bytes"
	"time"

	goical "github.com/emersion/go-ical"
)

// Meeting is a calendar with one event, as a program would export it: for beds,
// demonstrations and tests.
func Meeting(uid, summary string, from, until time.Time) []byte {
	event := goical.NewEvent()
	event.Props.SetText(goical.PropUID, uid)
	event.Props.SetText(goical.PropSummary, summary)
	event.Props.SetDateTime(goical.PropDateTimeStamp, from.UTC())
	event.Props.SetDateTime(goical.PropDateTimeStart, from.UTC())
	event.Props.SetDateTime(goical.PropDateTimeEnd, until.UTC())
	cal := goical.NewCalendar()
	cal.Props.SetText(goical.PropVersion, "2.0")
	cal.Props.SetText(goical.PropProductID, "-//presfed//calendar//EN")
	cal.Children = append(cal.Children, event.Component)
	var b bytes.Buffer
	_ = goical.NewEncoder(&b).Encode(cal) // all that it needs is there
	return b.Bytes()
}
