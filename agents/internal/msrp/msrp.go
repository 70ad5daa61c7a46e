// Package msrp carries instant messages between two endpoints in sessions
// that a description negotiates (RFC 4975; who connects: RFC 6135).
//
// A Reader splits a stream into frames and Frame.Append writes them; an
// Endpoint owns the listener and the connections; a Session is one
// conversation, named by its own URI and the peer's path; a Description is
// what an offer or answer says about a session. Sessions know nothing of
// dialogs: an early session is a Session like any other.
package msrp

import (
	"errors"
	"fmt"
)

// Response codes, RFC 4975 section 10.
const (
	StatusOK              = 200
	StatusMalformed       = 400
	StatusForbidden       = 403
	StatusTimeout         = 408
	StatusStop            = 413
	StatusUnsupportedType = 415
	StatusOutOfBounds     = 423
	StatusNoSession       = 481
	StatusUnknownMethod   = 501
	StatusOtherConnection = 506
)

// Methods, RFC 4975 section 9.
const (
	MethodSend   = "SEND"
	MethodReport = "REPORT"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrClosed: the session or endpoint was closed at this end.
	ErrClosed = errors.New("msrp: closed")
	// ErrConnectionLost: the connection a session was bound to is gone; the
	// session is failed (RFC 4975 section 5.4).
	ErrConnectionLost = errors.New("msrp: connection lost")
	// ErrTimeout: no response within 30 seconds of the request's last byte; the
	// request probably failed (RFC 4975 section 7.1.1).
	ErrTimeout = errors.New("msrp: no response in time")
	// ErrLimit: one of this end's limits is reached.
	ErrLimit = errors.New("msrp: limit reached")
	// ErrType: the peer does not accept the content type (RFC 4975 section 8.6).
	ErrType = errors.New("msrp: content type not accepted by the peer")
	// ErrTooLarge: the message exceeds the size that was agreed or announced.
	ErrTooLarge = errors.New("msrp: message too large")
	// ErrAddress: a peer's path leads to an address that no peer of ours has.
	ErrAddress = errors.New("msrp: no address of a peer")
	// ErrAborted: the sender gave the message up with the "#" flag.
	ErrAborted = errors.New("msrp: message aborted by its sender")
)

// StatusError is a refusal: one that the peer sent, in a response or a failure
// REPORT, or one that a handler wants this end to send.
type StatusError struct {
	Code    int
	Comment string
}

func (e *StatusError) Error() string {
	if e.Comment == "" {
		return fmt.Sprintf("msrp: status %d", e.Code)
	}
	return fmt.Sprintf("msrp: status %d %s", e.Code, e.Comment)
}

// comment is the phrase this end writes beside a code.
func comment(code int) string {
	switch code {
	case StatusOK:
		return "OK"
	case StatusMalformed:
		return "Bad Request"
	case StatusForbidden:
		return "Forbidden"
	case StatusTimeout:
		return "Request Timeout"
	case StatusStop:
		return "Stop Sending Message"
	case StatusUnsupportedType:
		return "Unsupported Media Type"
	case StatusNoSession:
		return "Session Does Not Exist"
	case StatusUnknownMethod:
		return "Unknown Method"
	case StatusOtherConnection:
		return "Session Bound To Another Connection"
	}
	return ""
}
