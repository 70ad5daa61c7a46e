package sip

import (
	"sync"
	"sync/atomic"
	"time"
)

// pressure is how busy the layer above is, by time and not by number: how long a
// request that came now would wait for its answer, which is how many wait, by how
// fast they are answered (as RFC 8033 section 4.2 measures a queue). Only requests
// that Queued was said of count: whoever waits for a device says nothing of us.
type pressure struct {
	waiting atomic.Int64
	over    atomic.Bool // the delay is above the limit, and has not been well below it since

	mu       sync.Mutex
	since    time.Time // when counting began; zero while few wait
	done     int       // answered since
	rate     float64   // a second, while many wait; 0: not known yet
	answered time.Time // the latest
	above    time.Time // since when the delay is above the limit; zero: it is not
}

const (
	few       = 32                     // fewer that wait are no queue
	measuring = 100 * time.Millisecond // how long the rate is measured
	burst     = time.Second            // what is above the limit for less is no overload
	hard      = 4                      // times the limit: overload at once
)

func (p *pressure) enter(now time.Time) {
	if p.waiting.Add(1) == few {
		p.mu.Lock()
		p.since, p.done = now, 0
		p.mu.Unlock()
	}
}

func (p *pressure) leave(now time.Time) {
	n := p.waiting.Add(-1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = now
	if n < few { // how fast it is shows only where there is enough to do
		p.since, p.rate = time.Time{}, 0
		return
	}
	if p.since.IsZero() {
		p.since, p.done = now, 0
		return
	}
	p.done++
	if took := now.Sub(p.since); took >= measuring {
		rate := float64(p.done) / took.Seconds()
		if p.rate > 0 {
			rate = (3*p.rate + rate) / 4
		}
		p.rate, p.since, p.done = rate, now, 0
	}
}

// delay is what a request would wait. stuck: nothing at all has been answered for
// a while.
func (p *pressure) delay(now time.Time) (d time.Duration, stuck bool) {
	n := p.waiting.Load()
	if n < few {
		return 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	rate := p.rate
	if since := now.Sub(p.since); !p.since.IsZero() && since > burst { // it has got slower; for less the disk may just have paused
		if slow := float64(max(p.done, 1)) / since.Seconds(); rate == 0 || slow < rate {
			rate = slow
		}
		stuck = now.Sub(p.answered) > burst
	}
	if rate == 0 {
		return 0, false
	}
	return time.Duration(float64(n) / rate * float64(time.Second)), stuck
}

// level is how much is to be refused: nothing, new requests of clients, those of
// peers as well, everything (RFC 7339 section 5.10.1 has what is begun before what
// is new, and servers' requests carry many users').
type level int

const (
	calm level = iota
	busy
	full
	flooded
)

// level goes by the limit for the delay: busy above it for a second, or far above
// it, until it is below half of it.
func (p *pressure) level(clock func() time.Time, limit time.Duration) (at level, stuck bool) {
	if p.waiting.Load() < few { // as nearly always
		if p.over.Load() {
			p.over.Store(false)
		}
		return calm, false
	}
	now := clock()
	d, stuck := p.delay(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case d <= limit/2:
		p.over.Store(false)
		fallthrough
	case d <= limit:
		p.above = time.Time{}
	case p.above.IsZero():
		p.above = now
	}
	if d > hard*limit || !p.above.IsZero() && now.Sub(p.above) > burst {
		p.over.Store(true)
	}
	switch {
	case !p.over.Load() || d <= limit:
		return calm, stuck
	case d > hard*hard*limit:
		return flooded, stuck
	case d > hard*limit:
		return full, stuck
	}
	return busy, stuck
}
