package event

import (
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Package is an event package as a Notifier sees it. Its functions are called in
// the lane of the subscription's resource, one at a time.
type Package struct {
	Name string
	// View is the view (of an [Ask]) that this one is for, such as a list of
	// resources beside single ones; "": every view that no other is for.
	View string
	// Extension is the option tag without which its NOTIFYs mean nothing: who does
	// not support it is 421 (RFC 3261 section 21.4.16), who does is told that it is
	// in use. "": none.
	Extension string
	// Types are the content types it can write, the default first.
	Types []string
	// Min is the shortest expiry taken, Default the one where the watcher names
	// none, Max what a longer one is cut to. Zero: a minute, an hour, an hour.
	Min, Default, Max time.Duration
	// Decide says whether the watcher may watch. It is asked for every
	// SUBSCRIBE, after a restart, and by Redecide. An error refuses what is new
	// and leaves what is there as it is.
	Decide func(s *Subscription) (Decision, error)
	// Body writes the state for one NOTIFY at the moment it is sent: all of it
	// if full, else what changed since it was last asked for this subscription.
	// version counts the NOTIFYs with a body, from 0.
	Body func(s *Subscription, full bool, version uint64) (Body, error)
	// Same says that the watcher is shown what she was shown under another treatment:
	// then a decision between the two is nothing to tell her. nil: it never is.
	Same func(s *Subscription, before string) bool
	// Keep is what the package has to write together with a new subscription, a fetch
	// included, before that is answered; nil, or nil of it: nothing.
	Keep func(s *Subscription) func(tx *state.Tx) error
	// Began and Ended hear of every subscription, a fetch included, Ended with the
	// reason, and Settled of each that a decision has brought to another state; nil:
	// not wanted.
	Began   func(s *Subscription)
	Settled func(s *Subscription)
	Ended   func(s *Subscription, reason string)
}

// Body is what one NOTIFY carries.
type Body struct {
	Bytes []byte // none: no body. They are not changed, so watchers may share them
	Type  string // "": the one that was agreed on
	More  bool   // it does not tell all: another NOTIFY follows
}

func (p Package) filled() *Package {
	if p.Min == 0 {
		p.Min = time.Minute
	}
	if p.Max == 0 {
		p.Max = time.Hour
	}
	if p.Default == 0 {
		p.Default = p.Max
	}
	return &p
}

// Verdict is what policy says of a watcher.
type Verdict int

// The verdicts. The zero value shows nothing to anyone.
const (
	Rejected Verdict = iota
	Pending          // not decided yet
	Active
)

// Decision is a verdict with what follows from it.
type Decision struct {
	Verdict Verdict
	// Status answers a rejected SUBSCRIBE; 0: 403.
	Status int
	// Treatment is the package's own word for what an active watcher is shown.
	Treatment string
	// Wait is how long the first NOTIFY may wait for state that is still on its
	// way; Changed ends it. 0: not at all.
	Wait time.Duration
}

// Header is an Event header field (RFC 6665 section 8.2.1).
type Header struct {
	Package string
	ID      string
}

// EventOf reads the Event field of m; without one the package is "".
func EventOf(m message.Message) (Header, error) {
	name, rest, _ := strings.Cut(message.Get(m, "Event"), ";")
	h := Header{Package: strings.TrimSpace(name)}
	if rest == "" {
		return h, nil
	}
	params, err := message.ParseParams(";" + rest)
	h.ID, _ = params.Get("id")
	if err == nil && strings.ContainsAny(h.ID, " \t\";,<>()@:\\/[]?={}") { // it has to be a token: we write it back
		err = &message.ParseError{Status: 400, Where: "Event", What: "an id that is no token"}
	}
	return h, err
}

func (h Header) String() string {
	if h.ID == "" {
		return h.Package
	}
	return h.Package + ";id=" + h.ID
}

// contentType picks the first of types that the request accepts; without an
// Accept field the default.
func contentType(req *message.Request, types []string) (string, bool) {
	if !message.Has(req, "Accept") {
		return types[0], true
	}
	for _, t := range types {
		if message.Accepts(req, t) {
			return t, true
		}
	}
	return "", false
}
