// Package file is a file as an offer or answer describes it (RFC 5547): the
// attributes of its media line, its hashes, and a name that is safe to give it.
package file
