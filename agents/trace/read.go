package trace

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// The types of lines that a trace reads; others pass.
const (
	typeRecord      = "record"
	typeMessage     = "message"
	typeParticipant = "participant"
)

// maxLine bounds one line: base64 of a whole message, and its frame.
const maxLine = 32 << 20

// Capture is what was read: records, or messages that were paired before.
type Capture struct {
	Records []Record
	Lost    uint64 // records that a role dropped before they were read

	paired []Message
	names  map[netip.AddrPort]string
}

func newCapture() *Capture { return &Capture{names: map[netip.AddrPort]string{}} }

// LineError says which line of an input is wrong.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Read reads JSON lines: wire records (type "record", or none), messages as
// --json prints them (type "message"), and what a flow says of its participants
// (type "participant"). Lines of other types are not looked at. A *LineError
// names the line that is wrong.
func Read(r io.Reader) (*Capture, error) {
	c := newCapture()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := c.add(line); err != nil {
			return nil, &LineError{n, err}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, &LineError{n + 1, err}
	}
	return c, nil
}

func (c *Capture) add(line []byte) error {
	var head struct{ Type *string }
	if err := json.Unmarshal(line, &head); err != nil {
		return fmt.Errorf("want a JSON object: %w", err)
	}
	switch kind := head.Type; {
	case kind == nil || *kind == typeRecord:
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		if err := check(r.Protocol); err != nil {
			return err
		}
		if r.Direction != "out" && r.Direction != "in" {
			return fmt.Errorf("record: direction %q, want in or out", r.Direction)
		}
		if r.Participant == "" {
			return errors.New("record: no participant")
		}
		c.Records = append(c.Records, r)
	case *kind == typeMessage:
		var l Line
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("message: %w", err)
		}
		if err := check(l.Protocol); err != nil {
			return err
		}
		c.paired = append(c.paired, l.message())
	case *kind == typeParticipant:
		var p struct {
			Name      string
			Addresses []netip.AddrPort
		}
		if err := json.Unmarshal(line, &p); err != nil {
			return fmt.Errorf("participant: %w", err)
		}
		for _, addr := range p.Addresses {
			c.names[addr] = p.Name
		}
	}
	return nil
}

func check(p Protocol) error {
	if p != SIP && p != MSRP {
		return fmt.Errorf("protocol %q, want sip or msrp", p)
	}
	return nil
}

// Messages pairs what was read, in order of time.
func (c *Capture) Messages() []Message {
	p := newPairing()
	for addr, name := range c.names {
		p.add(name, addr)
	}
	messages := append(p.pair(c.Records), c.paired...)
	slices.SortStableFunc(messages, func(a, b Message) int { return a.Time.Compare(b.Time) })
	for i := range messages {
		m := &messages[i]
		m.From, m.To = cmp.Or(m.From, p.name(m.Src)), cmp.Or(m.To, p.name(m.Dst))
	}
	return p.nameMethods(messages)
}
