package clock

import (
	"slices"
	"sync"
	"time"
)

// Manual is a clock for tests: it stands still until Advance is called. Due
// calls run on the caller of Advance, earliest first.
type Manual struct {
	mu    sync.Mutex
	now   time.Time
	calls []*manualTimer
}

// NewManual is a clock that shows start.
func NewManual(start time.Time) *Manual { return &Manual{now: start} }

// Now is the time the clock was last turned to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Uptime counts from 1970.
func (m *Manual) Uptime() (boot string, up time.Duration) {
	return "manual", m.Now().Sub(time.Unix(0, 0))
}

// AfterFunc calls f when Advance has passed d from now.
func (m *Manual) AfterFunc(d time.Duration, f func()) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &manualTimer{clock: m, at: m.now.Add(d), call: f}
	m.calls = append(m.calls, t)
	return t
}

// Advance turns the clock by d and runs what falls due, in order of time.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	end := m.now.Add(d)
	for {
		next := -1
		for i, t := range m.calls {
			if !t.at.After(end) && (next < 0 || t.at.Before(m.calls[next].at)) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		t := m.calls[next]
		m.calls = slices.Delete(m.calls, next, next+1)
		if t.at.After(m.now) {
			m.now = t.at
		}
		m.mu.Unlock()
		t.call()
		m.mu.Lock()
	}
	m.now = end
	m.mu.Unlock()
}

type manualTimer struct {
	clock *Manual
	at    time.Time
	call  func()
}

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.remove()
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	was := t.remove()
	t.at = t.clock.now.Add(d)
	t.clock.calls = append(t.clock.calls, t)
	return was
}

func (t *manualTimer) remove() bool {
	i := slices.Index(t.clock.calls, t)
	if i < 0 {
		return false
	}
	t.clock.calls = slices.Delete(t.clock.calls, i, i+1)
	return true
}
