package event

import (
	"time"

	"presfed/agents/internal/clock"
)

// Alarm is a timer whose job runs in a lane, unless it was stopped or set anew by
// then. It belongs to that lane; the zero value is off.
type Alarm struct {
	timer clock.Timer
	turn  uint64 // counts how often it was set
}

// Set has the job run after d, in place of what was set before.
func (a *Alarm) Set(c clock.Clock, lanes *Lanes, key string, d time.Duration, job func()) {
	a.Stop()
	a.turn++
	turn := a.turn
	a.timer = c.AfterFunc(d, func() {
		lanes.Do(key, func() {
			if a.timer != nil && a.turn == turn {
				a.timer = nil
				job()
			}
		})
	})
}

// Stop turns it off.
func (a *Alarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// On says whether a job is to come.
func (a *Alarm) On() bool { return a.timer != nil }
