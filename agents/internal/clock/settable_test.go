package clock_test

import (
	"runtime"
	"testing"
	"time"

	"presfed/agents/internal/clock"
)

func TestSettable(t *testing.T) {
	var c clock.Settable
	for _, by := range []time.Duration{time.Hour, -2 * time.Hour, 20 * 365 * 24 * time.Hour} {
		before := c.Now()
		c.Set(by)
		after := c.Now()
		if passed := after.Sub(before); passed < 0 || passed > time.Minute {
			t.Errorf("set by %s, and %s seem to have passed", by, passed)
		}
		if shown := after.Round(0).Sub(before.Round(0)) - by; shown < -time.Second || shown > time.Minute {
			t.Errorf("set by %s, and it shows %s beside that", by, shown)
		}
	}
}

func TestUptime(t *testing.T) {
	boot, up := clock.System.Uptime()
	again, later := clock.System.Uptime()
	if boot == "" && runtime.GOOS != "linux" {
		t.Skip("this system does not tell")
	}
	if boot == "" || again != boot || later < up || later-up > time.Minute {
		t.Errorf("%s %s, then %s %s", boot, up, again, later)
	}
}
