package clock

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootID names this start of the machine (proc(5), random(4)).
var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
})

func uptime() (boot string, up time.Duration) {
	var t unix.Timespec
	// The clock of Go's timers: a suspended machine's time is none of it.
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return "", 0
	}
	return bootID(), time.Duration(t.Nano())
}
