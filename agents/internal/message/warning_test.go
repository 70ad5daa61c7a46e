package message

import (
	"strings"
	"testing"
)

func TestAWarningIsShortAndOnItsLine(t *testing.T) {
	for why, want := range map[string]string{
		`the "body" is bad`:             `399 presfed "the \"body\" is bad"`,
		"a\r\nVia: b\x00\x7f\u0085\xff": `399 presfed "a  Via: b   ` + "\ufffd" + `"`,
		strings.Repeat("x", 200):        `399 presfed "` + strings.Repeat("x", 200) + `"`,
		strings.Repeat("x", 20_000):     `399 presfed "` + strings.Repeat("x", 200) + `..."`,
		"x" + strings.Repeat("é", 100):  `399 presfed "x` + strings.Repeat("é", 99) + `..."`,
	} {
		if got := Warning(why); got != want {
			t.Errorf("%.50q: got %q, want %q", why, got, want)
		}
	}
}
