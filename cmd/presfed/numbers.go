package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// parseSize reads a number of bytes, with kB, MB, GB or KiB, MiB, GiB behind it.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	number := s
	for name, n := range map[string]int64{"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, name); ok {
			number, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/4/unit {
		return 0, fmt.Errorf("%q is no size: want bytes, or a number with kB, MB, GB, KiB, MiB or GiB", s)
	}
	return n * unit, nil
}

// checkNumbers holds durations and counts, wherever they came from, against what
// they can mean: none is negative, a time to wait is not none, and what goes on
// the wire is whole seconds.
func checkNumbers(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		if failed != nil || !flag.Changed {
			return
		}
		switch flag.Value.Type() {
		case "duration":
			d, err := time.ParseDuration(flag.Value.String())
			switch {
			case err != nil:
			case d < 0:
				failed = usage("a time such as 5s", "--%s %s is negative", flag.Name, d)
			case d == 0 && (flag.Name == "timeout" || flag.Name == "wait"):
				failed = usage("a time such as 5s", "--%s 0s leaves no time for anything", flag.Name)
			case flag.Name == "expires" && d%time.Second != 0:
				failed = usage("whole seconds, such as 2s", "--expires %s: seconds are whole on the wire", d)
			}
		case "int":
			if n, err := strconv.Atoi(flag.Value.String()); err == nil && n < 0 {
				failed = usage("a number such as 10", "--%s %d is negative", flag.Name, n)
			}
		}
	})
	return failed
}
