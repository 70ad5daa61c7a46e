// Package sip is one SIP endpoint: the sockets of a participant and the
// transactions on them (RFC 3261 sections 17 and 18).
package sip
