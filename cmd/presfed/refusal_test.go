package main

import (
	"strings"
	"testing"
)

func TestRefusalHint(t *testing.T) {
	for _, c := range []struct {
		status             int
		field, value, want string
	}{
		{403, "", "", "policy"},
		{404, "", "", "directory show"},
		{423, "Min-Expires", "60", "--expires at least 60s"},
		{423, "", "", ""},
		{489, "Allow-Events", "presence", "packages presence"},
		{405, "Allow", "OPTIONS", "it takes OPTIONS"},
		{503, "Retry-After", "5", "try again in 5s"},
		{500, "", "", "may be down"},
		{499, "", "", ""},
	} {
		got := refusalHint(c.status, func(name string) string {
			if name == c.field {
				return c.value
			}
			return ""
		})
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%d %s: %q, want %q", c.status, c.value, got, c.want)
		}
	}
}
