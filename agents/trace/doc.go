// Package trace is what was seen on the wire, made readable: the records of
// several participants become messages between them, and those a ladder, JSON
// lines or a capture file.
package trace
