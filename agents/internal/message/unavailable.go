package message

import (
	"strconv"
	"time"
)

// retryAfter is in seconds: what is away is looked for more often.
const retryAfter = "5"

// Unavailable is an error that is answered with 503: something that the answer
// depends on is away for now (RFC 3261 section 21.5.4).
type Unavailable struct {
	What string // for the peer's eyes
	Err  error  // for ours
}

func (e *Unavailable) Error() string { return e.Err.Error() }
func (e *Unavailable) Unwrap() error { return e.Err }

// Fields go with the 503, name and value in turn.
func (e *Unavailable) Fields() []string {
	return []string{"Retry-After", retryAfter, "Warning", Warning(e.What)}
}

// RetryAfter is how long a response asks to be left alone, 0 where it does not say
// (RFC 3261 section 20.33): a comment or parameters may follow the number.
func RetryAfter(m Message) time.Duration {
	v := Get(m, "Retry-After")
	end := 0
	for end < len(v) && v[end] >= '0' && v[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(v[:end], 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
