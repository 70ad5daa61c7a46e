package torture

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// ours are the fields that a proxy writes itself.
var ours = []string{"max-forwards", "content-length", "l", "route", "max-breadth"}

// Carried says what of a message is missing in a copy of it, as a proxy passed it on;
// nil if all of it is there. It compares what stands behind each colon without white
// space, of a Via what comes before its parameters, and the body as it is.
func Carried(original []byte, copy string) error {
	head, body, _ := bytes.Cut(original, []byte("\r\n\r\n"))
	copied, copiedBody, _ := strings.Cut(copy, "\r\n\r\n")
	copied = squeeze(copied)
	_, fields, _ := strings.Cut(string(head), "\r\n")
	fields = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(fields)
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if slices.Contains(ours, name) {
			continue
		}
		values := []string{value}
		if name == "via" || name == "v" {
			values = strings.Split(value, ",") // one by one
		}
		for _, v := range values {
			if len(values) > 1 || name == "via" || name == "v" {
				v, _, _ = strings.Cut(v, ";")
			}
			if !strings.Contains(copied, squeeze(v)) {
				return fmt.Errorf("%s: %q is not in\n%s", name, v, copy)
			}
		}
	}
	if !strings.HasPrefix(string(body), copiedBody) {
		return fmt.Errorf("another body: %q, was %q", copiedBody, body)
	}
	return nil
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
