package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// The ways in which nothing comes back from a server.
var (
	ErrTimeout   = sip.ErrTimeout       // no final response in time
	ErrTransport = sip.ErrTransport     // refused, broken, or not the peer that was meant
	ErrNoAddress = resolve.ErrNoAddress // the server's name leads nowhere
	ErrNoUser    = resolve.ErrNoUser    // a target names no user
)

// ErrAuthentication: the server did not accept the credentials, or there were none.
var ErrAuthentication = errors.New("authentication failed")

// ErrClosed: the session is over.
var ErrClosed = errors.New("the session is closed")

// ErrNotAnswered: the session is not established, for nobody has answered yet.
var ErrNotAnswered = errors.New("nobody has answered yet")

// StatusError is a refusal by MSRP.
type StatusError = msrp.StatusError

// What can become of a session's messages and files, besides.
var (
	ErrLost     = msrp.ErrConnectionLost // the connection is gone
	ErrDeclined = msrp.ErrRejected       // the answer takes nothing of what was offered
	ErrTooLarge = msrp.ErrTooLarge       // for the peer
	ErrType     = msrp.ErrType           // the peer does not take such content
	ErrLate     = msrp.ErrTimeout        // no response by MSRP
	// ErrNoFiles: the peer has answered the offer of a file as one of a conversation.
	ErrNoFiles = errors.New("the other end knows nothing of files: its answer has no file-selector (RFC 5547)")
)

// errEnded: a call was ended here.
var errEnded = errors.New("ended here")

// RefusedError is a final response that is no success.
type RefusedError struct {
	Method   string
	Response *message.Response
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s was answered %d %s", e.Method, e.Response.StatusCode, e.Response.Reason)
	if w := message.Get(e.Response, "Warning"); w != "" {
		s += " (" + w + ")"
	}
	return s
}

// Status is the response's code.
func (e *RefusedError) Status() int { return e.Response.StatusCode }

// Field is what the response says in a field, several values after each other;
// empty: nothing.
func (e *RefusedError) Field(name string) string {
	return strings.Join(message.Values(e.Response, name), ", ")
}

// notBefore is how long a refusal asks not to come again, within reason.
func notBefore(err error) time.Duration {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return 0
	}
	return min(message.RetryAfter(refused.Response), time.Hour)
}

// refusedWith says whether err is a refusal with that status.
func refusedWith(err error, status int) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Status() == status
}

// Failed is the event of an error, with the peer's code where it was the peer
// who refused, by SIP or MSRP. The client tells it for what it does by itself;
// other errors are returned, and whoever prints events may print this.
func Failed(err error) Event {
	e := Event{Type: "failed", Reason: err.Error()}
	var refused *RefusedError
	var stopped *msrp.StatusError
	switch {
	case errors.As(err, &refused):
		e.Code = refused.Status()
	case errors.As(err, &stopped):
		e.Code = stopped.Code
	}
	return e
}
