// Package calendar is the feeder: it reads calendars, from files, folders, URLs
// and CalDAV servers (RFC 4791), and publishes to its user's server what she is
// doing by them, as a publication of its own: busy, class calendar, until when
// (RFC 4480), and what is to come where that is asked for (RFC 4481).
//
// A publication ends with what it is about: it is never asked for longer, it is
// removed when the time has come, and when the feeder ends. One that cannot
// reach a source goes on with what it knows of it for a day at most.
package calendar
