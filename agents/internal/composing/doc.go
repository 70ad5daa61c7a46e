// Package composing says that somebody is composing a message (RFC 3994): the
// document, and the states of who composes and of who is told.
package composing
