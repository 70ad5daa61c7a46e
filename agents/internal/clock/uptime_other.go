//go:build !linux

package clock

import "time"

func uptime() (boot string, up time.Duration) { return "", 0 }
