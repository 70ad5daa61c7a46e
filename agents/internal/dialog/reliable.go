package dialog

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// ReliableConfig is what a Reliable is made of.
type ReliableConfig struct {
	T1    time.Duration
	Clock clock.Clock
	// Send hands a response to the INVITE's transaction, first and again.
	Send func(*message.Response)
	// Expired is told once that no PRACK came for 64*T1: the INVITE should be
	// rejected with a 5xx.
	Expired func()
}

// Reliable is the provisional responses that a user agent server sends reliably
// to one INVITE (RFC 3262 section 3): one after the other, each until its PRACK.
// Its methods may be called from any goroutine.
type Reliable struct {
	cfg  ReliableConfig
	cseq message.CSeq // the INVITE's

	mu      sync.Mutex
	next    uint32            // RSeq of the next
	sent    *message.Response // without its PRACK; nil: none
	rseq    uint32            // of it
	waiting []*message.Response
	every   time.Duration
	until   time.Time
	timer   clock.Timer
	stopped bool
}

// NewReliable begins with an RSeq anywhere from 1 to 2^31-1.
func NewReliable(invite *message.Request, cfg ReliableConfig) (*Reliable, error) {
	cseq, err := message.CSeqOf(invite)
	return &Reliable{cfg: cfg, cseq: cseq, next: 1 + uint32(rand.Int32N(1<<31-2))}, err
}

// Send sends res, which has a status of 101 to 199 and the dialog's tag, and
// adds what makes it reliable; or keeps it until the one before has its PRACK.
func (r *Reliable) Send(res *message.Response) {
	message.Add(res, "Require", "100rel")
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	if r.sent != nil {
		r.waiting = append(r.waiting, res)
		r.mu.Unlock()
		return
	}
	r.begin(res)
	r.mu.Unlock()
	r.cfg.Send(res)
}

// begin numbers a response and arms its timer. The lock is held.
func (r *Reliable) begin(res *message.Response) {
	r.sent, r.rseq = res, r.next
	r.next++
	message.Set(res, "RSeq", strconv.FormatUint(uint64(r.rseq), 10))
	r.every, r.until = r.cfg.T1, r.cfg.Clock.Now().Add(64*r.cfg.T1)
	r.timer = r.cfg.Clock.AfterFunc(r.every, func() { r.again(res) })
}

// again sends a response once more. The interval has no cap, for PRACK is not
// caused by it, as ACK is by a 2xx.
func (r *Reliable) again(res *message.Response) {
	r.mu.Lock()
	if r.sent != res || r.stopped {
		r.mu.Unlock()
		return
	}
	left := r.until.Sub(r.cfg.Clock.Now())
	if left <= 0 {
		r.stop()
		r.mu.Unlock()
		r.cfg.Expired()
		return
	}
	r.every *= 2
	r.timer = r.cfg.Clock.AfterFunc(min(r.every, left), func() { r.again(res) })
	r.mu.Unlock()
	r.cfg.Send(res)
}

// Acknowledge takes a PRACK of the dialog, and sends what has waited for it. The
// error is a *message.ParseError: 481 for one that matches no response.
func (r *Reliable) Acknowledge(prack *message.Request) error {
	ack, err := RAckOf(prack)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if r.sent == nil || ack != (RAck{r.rseq, r.cseq}) {
		r.mu.Unlock()
		return &message.ParseError{Status: 481, Where: "RAck", What: "no response waits for " + ack.String()}
	}
	r.timer.Stop()
	r.sent = nil
	var following *message.Response
	if len(r.waiting) > 0 && !r.stopped {
		following, r.waiting = r.waiting[0], r.waiting[1:]
		r.begin(following)
	}
	r.mu.Unlock()
	if following != nil {
		r.cfg.Send(following)
	}
	return nil
}

// Pending says whether a response still waits for its PRACK: a 2xx must wait
// too where that response holds a session description (section 5).
func (r *Reliable) Pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent != nil
}

// Stop is for when a final response was sent: nothing is sent any more, but a
// PRACK on its way still matches.
func (r *Reliable) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
}

func (r *Reliable) stop() {
	r.stopped, r.waiting = true, nil
	if r.timer != nil {
		r.timer.Stop()
	}
}
