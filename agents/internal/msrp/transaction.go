package msrp

import (
	"sync"

	"presfed/agents/internal/clock"
)

// Outcome is how one own SEND transaction ended.
type Outcome struct {
	MessageID   string
	Transaction string
	Range       ByteRange
	Status      int    // of the response; 0: there was none, and with FailureNo and FailurePartial none was due
	Comment     string // of the response
	Err         error  // why there is no 200: a *StatusError, ErrTimeout, ErrConnectionLost, ErrClosed
}

// transaction is an own request that a response may still answer.
type transaction struct {
	session *Session
	outcome Outcome // its first three fields from the start
	report  FailureReport
	done    func(Outcome)
	// recorded is closed when the request was written and recorded. Only then
	// is its response recorded: the response may be read before that.
	recorded chan struct{}

	mu    sync.Mutex
	timer clock.Timer
	over  bool
}

// finish is how it ended; only the first call counts. No lock is held while
// done runs: it may take queued frames back, this one among them.
func (t *transaction) finish(o Outcome) {
	t.mu.Lock()
	first := !t.over
	t.over = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	if !first {
		return
	}
	o.MessageID, o.Transaction, o.Range = t.outcome.MessageID, t.outcome.Transaction, t.outcome.Range
	t.session.note(o)
	t.done(o)
}

// begin awaits a response, unless none can come. The frame is not sent yet.
func (c *conn) begin(t *transaction) error {
	t.recorded = make(chan struct{})
	if t.report == FailureNo {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.pending[t.outcome.Transaction] = t
	return nil
}

// sent is called by the writing goroutine when the request is on its way, or
// with an error. RFC 4975 section 7.1.1: 30 seconds from its last byte.
func (c *conn) sent(t *transaction, err error) {
	close(t.recorded)
	switch {
	case err != nil:
		c.take(t.outcome.Transaction)
		t.finish(Outcome{Err: err})
	case t.report == FailureNo:
		t.finish(Outcome{})
	default:
		t.mu.Lock()
		if !t.over {
			t.timer = c.e.cfg.Clock.AfterFunc(c.e.cfg.Limits.Transaction, func() { c.expire(t) })
		}
		t.mu.Unlock()
	}
}

func (c *conn) expire(t *transaction) {
	if c.take(t.outcome.Transaction) == nil {
		return
	}
	if t.report == FailurePartial {
		// No refusal is the only good news there is to have.
		t.finish(Outcome{})
		return
	}
	t.finish(Outcome{Err: ErrTimeout})
}

// take removes a transaction; nil: there is none of that name.
func (c *conn) take(id string) *transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.pending[id]
	delete(c.pending, id)
	return t
}

func (c *conn) find(id string) *transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending[id]
}

// response ends the transaction that f answers. What answers nothing of ours
// is passed over.
func (c *conn) response(f *Frame) {
	t := c.take(f.Transaction)
	if t == nil {
		c.e.log.Debug("response to nothing", "peer", c.remote, "transaction", f.Transaction, "status", f.Status)
		return
	}
	o := Outcome{Status: f.Status, Comment: f.Comment}
	switch {
	case f.Status/100 == 2:
	case f.Status == StatusTimeout:
		// RFC 4975 section 10.4: as a timeout of our own.
		o.Err = ErrTimeout
	default:
		o.Err = &StatusError{Code: f.Status, Comment: f.Comment}
	}
	t.finish(o)
	if endsSession(f.Status) {
		t.session.end(o.Err)
	}
}
