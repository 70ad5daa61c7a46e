package message_test

import (
	"errors"
	"strconv"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/torture"
)

// What a parser is asked to do with the messages of RFC 4475 and RFC 5118, and what
// ours does, stands in docs/TORTURE.md. What it takes it loses nothing of.
func TestTorture(t *testing.T) {
	cases, err := torture.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		m, err := message.Parse(c.Raw, message.DefaultLimits)
		verdict := "ok"
		if err != nil {
			verdict = "dropped"
			var p *message.ParseError
			if req, isRequest := m.(*message.Request); isRequest && req != nil && errors.As(err, &p) {
				verdict = strconv.Itoa(p.Status)
			}
		}
		if verdict != c.Ours.Parser {
			t.Errorf("%s: %s (%v), want %s", c.Name, verdict, err, c.Ours.Parser)
		}
		if !torture.Allows(c.Asked.Parser, verdict) {
			t.Errorf("%s: %s, and the RFC asks for %s", c.Name, verdict, c.Asked.Parser)
		}
		if err != nil {
			continue
		}
		written := string(message.Bytes(m))
		if err := torture.Carried(c.Raw, written); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		again, err := message.Parse([]byte(written), message.DefaultLimits)
		if err != nil || string(message.Bytes(again)) != written {
			t.Errorf("%s is read again as something else: %v", c.Name, err)
		}
	}
}
