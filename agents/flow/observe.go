package flow

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"presfed/agents/internal/wire"
	"presfed/agents/trace"
)

// observe makes messages of records. One that changed on its way has two halves
// that differ in bytes; they are joined by what a message is known by.
func observe(records []wire.Record, facts *Facts) []*observed {
	var out []*observed
	var halves []*observed // sent, and not received as they were
	arrived := map[string][]*observed{}
	for _, m := range trace.Pair(records) {
		o := &observed{Message: m}
		if name := facts.at(m.Src); name != "" && m.Sent == nil {
			o.From = name
		}
		if name := facts.at(m.Dst); name != "" && m.Received == nil {
			o.To = name
		}
		if m.Sent == nil {
			arrived[known(m)] = append(arrived[known(m)], o)
		} else if m.Received == nil {
			halves = append(halves, o)
		}
		out = append(out, o)
	}
	gone := map[*observed]bool{}
	for _, o := range halves {
		list := arrived[known(o.Message)]
		if len(list) == 0 {
			continue
		}
		in := list[0]
		arrived[known(o.Message)] = list[1:]
		gone[in] = true
		o.Received, o.To, o.Lost = in.Received, in.To, false
		if in.Time.Before(o.Time) {
			o.Time = in.Time
		}
	}
	kept := out[:0]
	for _, o := range out {
		if gone[o] {
			continue
		}
		o.sides = []side{read(o.Protocol, o.Raw)}
		if o.Sent != nil {
			o.sides[0] = read(o.Protocol, o.Sent.Raw)
		}
		if o.changed() {
			o.sides = append(o.sides, read(o.Protocol, o.Received.Raw))
		}
		kept = append(kept, o)
	}
	slices.SortStableFunc(kept, func(a, b *observed) int { return a.Time.Compare(b.Time) }) // joining moves some
	return kept
}

// known is by what a message is found again whose bytes have changed.
func known(m trace.Message) string {
	if m.Protocol == wire.MSRP {
		m.Method = "" // of a response it is its request's, where that is known
	}
	return fmt.Sprintf("%s %s %d %s %s %s %s", m.Protocol, m.Method, m.Status, m.CallID, m.CSeq, m.Branch, m.Transaction)
}

func (o *observed) changed() bool {
	return o.Sent != nil && o.Received != nil && !bytes.Equal(o.Sent.Raw, o.Received.Raw)
}

// since tells whether the message was sent at or after a time.
func (o *observed) since(t time.Time) bool { return !o.Time.Before(t) }

// hasBody: of MSRP, an empty line parts header and body (RFC 4975 section 9).
func (o *observed) hasBody() bool {
	_, rest, found := bytes.Cut(o.Raw, []byte("\r\n\r\n"))
	return found && (o.Protocol == wire.MSRP || len(rest) > 0)
}
