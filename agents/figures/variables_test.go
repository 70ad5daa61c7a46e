package figures

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// duration is that of a variable, or else.
func duration(t *testing.T, variable string, otherwise time.Duration) time.Duration {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%s: want a time such as 1h", variable, s)
	}
	return d
}

// number is that of a variable, or else.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%s: want a number above nothing", variable, s)
	}
	return n
}
