// Package ical turns a calendar's bytes (RFC 5545) into the times at which its
// owner is busy.
//
//	cal, err := ical.Read(data, ical.Options{Zone: berlin})
//	busy, warnings, err := cal.Busy(ctx, from, until)
//
// It is pure: bytes and a zone in, occurrences out; no file, no clock, no zone
// database of the machine (the one that is embedded is used where there is none).
//
// What is wrong with one event is a [Warning] with its line and UID, and costs
// that event alone. Of what the RFC leaves open:
//
//   - DTSTART is an occurrence whether or not its rule says so, and the first
//     that COUNT counts (section 3.3.10).
//   - A local time that a change of the clock skips is taken with the offset
//     before the change, one that comes twice is the first (section 3.3.5).
//   - A zone's name is looked up in the IANA database first, then among the
//     calendar's own VTIMEZONEs, then among the names of Windows.
//   - Floating times are in the zone of X-WR-TIMEZONE, without one in
//     Options.Zone; whole days are always in Options.Zone.
//   - The end by DTEND is an exact time after the start, the days and weeks of a
//     DURATION are by the calendar (section 3.3.6).
package ical
