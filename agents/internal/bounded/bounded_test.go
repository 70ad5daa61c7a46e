package bounded_test

import (
	"testing"

	"presfed/agents/internal/bounded"
)

// spy is a test that has failed or not.
type spy struct {
	testing.TB
	failed bool
}

func (s *spy) Helper()               {}
func (s *spy) Errorf(string, ...any) { s.failed = true }

var kept [][]byte

func TestWhatIsTooMuch(t *testing.T) {
	for _, tt := range []struct {
		n, spends int
		fails     bool
	}{{0, 1 << 20, false}, {0, 8 << 20, true}, {1 << 20, 8 << 20, false}} {
		s := &spy{}
		bounded.Read(s, tt.n, func() { kept = append(kept, make([]byte, tt.spends)) })
		if s.failed != tt.fails {
			t.Errorf("%d bytes for %d: failed %t", tt.spends, tt.n, s.failed)
		}
	}
	kept = nil
}
