// Package cpim is the message format of RFC 3862: an instant message in an
// envelope of its own, with headers from end to end and content of any MIME
// type.
//
// Headers are kept as they are written, escapes included, for nobody may change
// them on their way; Header.Text gives what one says.
package cpim
