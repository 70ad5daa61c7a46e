package flow

import (
	"context"
	"errors"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/wire"
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
	watching   bool
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
	return &Runner{stage: stage, settings: s, registered: map[string]bool{}, published: map[string]string{}}
}

// Run sets up what the flow needs, has its actors act, and judges. An error
// tells why an actor could not go on; a flow that was begun has its result all
// the same.
func (r *Runner) Run(ctx context.Context, f Flow) (Result, error) {
	prepare, cancel := context.WithTimeout(ctx, r.settings.Timeout)
	defer cancel()
	if err := f.prepare(prepare, r); err != nil {
		return Result{}, &SetupError{Flow: f.ID, Err: err}
	}
	if _, err := r.settle(prepare, answered); err != nil {
		return Result{}, &SetupError{Flow: f.ID, Err: err}
	}
	begin := r.settings.Clock.Now()
	facts := r.stage.Facts()
	acting, cancel := context.WithTimeout(ctx, r.settings.Timeout)
	defer cancel()
	err := f.act(acting, r)
	records, late := r.settle(acting, func(records []wire.Record) bool {
		if !answered(records) {
			return false
		}
		result := Judge(f, facts, records, begin)
		return err != nil || len(result.Verdict.Missing) == 0
	})
	if late != nil && !errors.Is(late, context.DeadlineExceeded) {
		return Result{}, errors.Join(err, late)
	}
	return Judge(f, facts, records, begin), err
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
		records, more := r.stage.Records()
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
			return records, context.Cause(ctx)
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// answered tells whether every SIP request has its final response, and every
// message was recorded by both sockets.
func answered(records []wire.Record) bool {
	type request struct{ from, to, branch, method string }
	waiting := map[request]bool{}
	for _, o := range observe(records, &Facts{}) {
		if o.Sent == nil || o.Received == nil {
			return false
		}
		switch {
		case o.Protocol != wire.SIP || o.Branch == "" || o.Method == "ACK":
		case o.Status == 0:
			waiting[request{o.From, o.To, o.Branch, o.Method}] = true
		case o.Status >= 200:
			delete(waiting, request{o.To, o.From, o.Branch, o.Method})
		}
	}
	return len(waiting) == 0
}
