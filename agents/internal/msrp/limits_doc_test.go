package msrp

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestLimitsDocument: docs/LIMITS.md has each limit, with its default.
func TestLimitsDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/LIMITS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{
		"Head": "the head of a frame", "Headers": "header fields of a frame", "Chunk": "one chunk",
		"Message": "a message that is kept in memory", "Buffer": "what a session holds in memory", "Held": "what all sessions hold in memory",
		"Deliveries": "messages of a session that wait for the device", "Incoming": "messages of a session that have begun", "Gaps": "separate ranges of a message",
		"Sessions": "sessions at once", "Connections": "connections", "Responses": "responses that wait for a peer to read",
		"Dial": "a connection to stand, with TLS", "Write": "a peer that takes nothing that is written", "Frame": "a frame without a byte more",
		"Stalled": "a message without a chunk more", "Unbound": "a connection that belongs to no session", "Idle": "a connection whose sessions say nothing",
		"Linger": "a connection whose sessions have ended", "Transaction": "a response to a chunk",
	}
	defaults := reflect.ValueOf(Limits{}.withDefaults())
	for i := range defaults.NumField() {
		name, said := defaults.Type().Field(i).Name, ""
		switch v := defaults.Field(i).Interface().(type) {
		case time.Duration:
			if said = strings.TrimSuffix(v.String(), "m0s"); said != v.String() {
				said += "m"
			}
			if v == 0 {
				said = "none"
			}
		default:
			said = inWords(defaults.Field(i).Int())
		}
		if row := fmt.Sprintf("\n| %s | %s | | ", rows[name], said); !strings.Contains(string(text), row) {
			t.Errorf("%s: LIMITS.md has no%s", name, row)
		}
	}
}

// inWords is a number, of bytes where it is one of them.
func inWords(n int64) string {
	for _, unit := range []string{"", " KiB", " MiB", " GiB"} {
		if n%1024 != 0 || n < 8192 && unit == "" { // no count is as large
			return fmt.Sprint(n, unit)
		}
		n /= 1024
	}
	return ""
}
