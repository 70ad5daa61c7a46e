package clock

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Settable is the system's clock, but for tests: it can be set as an administrator
// sets a machine's, while its timers and what is measured by it go on.
type Settable struct{ ahead atomic.Int64 } // seconds

// Set puts the clock ahead by whole seconds, or back.
func (s *Settable) Set(ahead time.Duration) { s.ahead.Add(int64(ahead / time.Second)) }

// Now is the time shown, with the system's monotonic reading.
func (s *Settable) Now() time.Time {
	t := time.Now()
	// As package time has it: with a monotonic reading, the first word holds the
	// seconds shown from bit 30 on. TestSettable fails where that is not so.
	*(*uint64)(unsafe.Pointer(&t)) += uint64(s.ahead.Load()) << 30
	return t
}

// AfterFunc is the system's.
func (s *Settable) AfterFunc(d time.Duration, f func()) Timer { return System.AfterFunc(d, f) }

// Uptime is the system's.
func (s *Settable) Uptime() (boot string, up time.Duration) { return System.Uptime() }
