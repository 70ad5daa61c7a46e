// Package clock is the one source of time for our own timers: the system's in
// a running role, a hand-turned one in tests.
package clock

import "time"

// Clock tells the time and calls back after a while.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// AfterFunc calls f once after d, on a goroutine of its own.
	AfterFunc(d time.Duration, f func()) Timer
	// Uptime is how long it has been since the machine's start that boot names, by
	// no clock that can be set; boot is "" where that is not known.
	Uptime() (boot string, up time.Duration)
}

// Timer is a call that is still to come.
type Timer interface {
	// Stop prevents the call; false if it has begun or was stopped before.
	Stop() bool
	// Reset moves the call to d from now; false if it had begun or was stopped.
	Reset(d time.Duration) bool
}

// System is the machine's clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (system) Uptime() (boot string, up time.Duration) { return uptime() }
