// Package state is what a server must still know after it was killed:
// publications, both halves of subscriptions, bindings, and the CSeq numbers it
// has set aside, in one SQLite file of its own.
//
// A Store belongs to one process, which holds the file locked. It is read once,
// by Load, and written ever after by the one committer that Run is: operations
// that wait together are committed together, so that under load many answers
// share one write to the disk.
package state
