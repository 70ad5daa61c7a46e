package composing

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/strictxml"
)

// Type is the content type of a status.
const Type = "application/im-iscomposing+xml"

const namespace = "urn:ietf:params:xml:ns:im-iscomposing"

// Status is what a status message says.
type Status struct {
	Active      bool          // else idle, as any state that is not known (section 3.5)
	LastActive  time.Time     // zero: not said
	ContentType string        // of what is being composed, "audio" or "text/html"; empty: not said
	Refresh     time.Duration // when the next status is due, whole seconds; 0: not said
}

// Parse reads a status document. Errors say what is wrong, and where.
func Parse(doc []byte) (s Status, err error) {
	root, err := strictxml.Parse(doc, strictxml.Small)
	if err != nil {
		return s, fmt.Errorf("isComposing: %w", err)
	}
	if !root.Is(namespace, "isComposing") {
		return s, fmt.Errorf("isComposing: the root is %.60q of %.60q", root.Local, root.Space)
	}
	texts := map[string]string{}
	for _, name := range []string{"state", "lastactive", "contenttype", "refresh"} {
		switch all := root.All(name); {
		case len(all) > 1:
			return s, fmt.Errorf("isComposing: more than one %s", name)
		case len(all) == 1:
			texts[name] = all[0].Token()
		case name == "state":
			return s, fmt.Errorf("isComposing: no state")
		}
	}
	s.Active = texts["state"] == "active"
	s.ContentType = texts["contenttype"]
	s.LastActive = parseTime(texts["lastactive"])
	if text, ok := texts["refresh"]; ok {
		if s.Refresh, err = parseRefresh(text); err != nil {
			return Status{}, err
		}
	}
	return s, nil
}

// parseTime reads an xs:dateTime. A hint that cannot be read is none.
func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// parseRefresh reads an xs:positiveInteger, however large.
func parseRefresh(text string) (time.Duration, error) {
	digits := strings.TrimLeft(strings.TrimPrefix(text, "+"), "0")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("isComposing: refresh %.20q is no positive number of seconds", text)
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		n = math.MaxInt32
	}
	return time.Duration(n) * time.Second, nil
}

// Marshal writes the document.
func (s Status) Marshal() []byte {
	var b bytes.Buffer
	element := func(name, text string) {
		b.WriteString("  <" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a buffer does not fail
		b.WriteString("</" + name + ">\n")
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<isComposing xmlns="` + namespace + `">` + "\n")
	if s.Active {
		element("state", "active")
	} else {
		element("state", "idle")
	}
	if !s.LastActive.IsZero() {
		element("lastactive", s.LastActive.UTC().Format(time.RFC3339Nano))
	}
	if s.ContentType != "" {
		element("contenttype", s.ContentType)
	}
	if s.Refresh >= time.Second {
		element("refresh", strconv.FormatInt(int64(s.Refresh/time.Second), 10))
	}
	b.WriteString("</isComposing>\n")
	return b.Bytes()
}
