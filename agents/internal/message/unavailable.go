package message

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
