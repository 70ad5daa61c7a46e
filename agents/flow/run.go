package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/wire"
	"presfed/agents/trace"
)

// Settings of a Runner; zero fields take the defaults.
type Settings struct {
	Timeout time.Duration // for the set-up, and again for the flow; 10 s
	// Quiet is how long nothing more must be recorded before a flow counts as
	// over; 150 ms. What comes later is not seen to be unexpected.
	Quiet time.Duration
	Clock clock.Clock // the one that records are stamped by
}

// Runner runs flows on one stage, one after another, and knows what the earlier
// ones have left behind.
type Runner struct {
	stage    Stage
	settings Settings

	registered map[string]bool
	published  map[string]string
	watching   map[watch]bool
	talking    bool // Bob has called Alice
	meeting    bool // Alice's calendar has one

	flow     Flow // the one that runs, and since when
	begin    time.Time
	base     int           // records that no further flow has to look at
	standing []wire.Record // but these of them: what opened the subscriptions that stand
	reported time.Time     // messages before it are in earlier results
}

// NewRunner is for a stage on which nobody has acted.
func NewRunner(stage Stage, s Settings) *Runner {
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	if s.Quiet == 0 {
		s.Quiet = 150 * time.Millisecond
	}
	if s.Clock == nil {
		s.Clock = clock.System
	}
	return &Runner{stage: stage, settings: s, registered: map[string]bool{}, published: map[string]string{}, watching: map[watch]bool{}}
}

// Run sets up what the flow needs, has its actors act, and judges. An error
// tells why an actor could not go on; a flow that was begun has its result all
// the same. After one that left messages unanswered or lost, the next needs a
// stage and a Runner of its own: its set-up would not come to rest.
func (r *Runner) Run(ctx context.Context, f Flow) (Result, error) {
	if err := r.Prepare(ctx, f); err != nil {
		return Result{}, err
	}
	r.flow, r.begin = f, r.settings.Clock.Now()
	acting, cancel := context.WithTimeout(ctx, r.settings.Timeout)
	defer cancel()
	err := f.act(acting, r)
	records, late := r.settle(acting, func(records []wire.Record) bool {
		if !answered(records) {
			return false
		}
		result := r.judge(records)
		return err != nil || len(result.Verdict.Missing) == 0
	})
	if late != nil && !errors.Is(late, context.DeadlineExceeded) {
		return Result{}, errors.Join(err, late)
	}
	result := r.judge(records)
	result.Messages = slices.DeleteFunc(result.Messages, func(l trace.Line) bool { return l.Time.Before(r.reported) })
	r.reported = r.settings.Clock.Now()
	if late == nil {
		r.forget(records)
	}
	return result, err
}

// records are those that count.
func (r *Runner) records() ([]wire.Record, <-chan struct{}) {
	all, more := r.stage.Records()
	return all[min(r.base, len(all)):], more
}

// judge holds the flow that runs against records, and what stood before them.
func (r *Runner) judge(records []wire.Record) Result {
	return Judge(r.flow, r.stage.Facts(), slices.Concat(r.standing, records), r.begin)
}

// forget has records that are in a result count no more, but for what opened the
// subscriptions that stand.
func (r *Runner) forget(seen []wire.Record) {
	r.base += len(seen)
	standing := open(observe(slices.Concat(r.standing, seen), &Facts{}))
	r.standing = nil
	for _, o := range standing {
		r.standing = append(r.standing, *o.Sent, *o.Received)
	}
}

// open are the SUBSCRIBEs, as both sockets recorded them, of subscriptions that
// have not ended.
func open(messages []*observed) (out []*observed) {
	for _, o := range messages {
		switch {
		case o.Status != 0 || o.Protocol != wire.SIP || o.Sent == nil || o.Received == nil:
		case o.Method == "SUBSCRIBE" && o.ToTag == "":
			out = append(out, o)
		case o.Method == "NOTIFY" && strings.HasPrefix(o.last().get("Subscription-State"), "terminated"):
			out = slices.DeleteFunc(out, func(s *observed) bool { return s.CallID == o.CallID })
		}
	}
	return out
}

// Prepare sets up what a flow needs, as far as it does not stand already; Run
// does it too. A message is in one result only: set-up, in that of the flow that
// needed it first. Its errors are *SetupError.
func (r *Runner) Prepare(ctx context.Context, f Flow) error {
	ctx, cancel := context.WithTimeout(ctx, r.settings.Timeout)
	defer cancel()
	err := f.prepare(ctx, r)
	if err == nil {
		_, err = r.settle(ctx, answered)
	}
	if err != nil {
		return &SetupError{Flow: f.ID, Err: err}
	}
	return nil
}

// SetupError says that a flow was not begun.
type SetupError struct {
	Flow string
	Err  error
}

func (e *SetupError) Error() string { return "set-up of " + e.Flow + ": " + e.Err.Error() }

// Unwrap is what failed.
func (e *SetupError) Unwrap() error { return e.Err }

// settle waits until the records are as wanted and nothing more comes. When time
// is up it gives what there is, with an error.
func (r *Runner) settle(ctx context.Context, wanted func([]wire.Record) bool) ([]wire.Record, error) {
	for {
		records, more := r.records()
		var quiet chan struct{} // nil: not yet
		var timer clock.Timer
		if wanted(records) {
			quiet = make(chan struct{})
			timer = r.settings.Clock.AfterFunc(r.settings.Quiet, func() { close(quiet) })
		}
		select {
		case <-quiet:
			return records, nil
		case <-more:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if err := r.more(ctx, more); err != nil {
			return records, err
		}
	}
}

// together is how long records are gathered before they are looked at again.
const together = 5 * time.Millisecond

// more waits for further records, and a little for those that come with them.
func (r *Runner) more(ctx context.Context, more <-chan struct{}) error {
	select {
	case <-more:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	over := make(chan struct{})
	defer r.settings.Clock.AfterFunc(together, func() { close(over) }).Stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered tells whether every SIP request has its final response, and every
// message was recorded by both sockets.
func answered(records []wire.Record) bool {
	type request struct{ from, to, branch, method string }
	asked, told := map[request]bool{}, map[request]bool{}
	for _, o := range observe(records, &Facts{}) {
		if o.Sent == nil || o.Received == nil {
			return false
		}
		switch {
		case o.Protocol != wire.SIP || o.Branch == "" || o.Method == "ACK":
		case o.Status == 0:
			asked[request{o.From, o.To, o.Branch, o.Method}] = true
		case o.Status >= 200:
			told[request{o.To, o.From, o.Branch, o.Method}] = true
		}
	}
	for r := range asked {
		if !told[r] {
			return false
		}
	}
	return true
}
