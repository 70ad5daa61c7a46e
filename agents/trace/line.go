package trace

import (
	"net/netip"
	"time"
)

// Line is a message as --json prints it. What is unknown is left out.
type Line struct {
	Type        string         `json:"type"` // "message"
	Flow        string         `json:"flow,omitempty"`
	F           string         `json:"f,omitempty"`
	Undrawn     string         `json:"undrawn,omitempty"`
	From        string         `json:"from"`
	To          string         `json:"to"`
	Src         netip.AddrPort `json:"src"`
	Dst         netip.AddrPort `json:"dst"`
	Transport   string         `json:"transport"`
	Protocol    Protocol       `json:"protocol"`
	StartLine   string         `json:"start_line"`
	Method      string         `json:"method,omitempty"`
	Status      int            `json:"status,omitempty"`
	CallID      string         `json:"call_id,omitempty"`
	CSeq        string         `json:"cseq,omitempty"`
	Transaction string         `json:"transaction,omitempty"`
	MessageID   string         `json:"message_id,omitempty"`
	ByteRange   string         `json:"byte_range,omitempty"`
	SeenBy      []string       `json:"seen_by,omitempty"` // the participants whose sockets recorded it
	Lost        bool           `json:"lost,omitempty"`    // one of two watched sockets did not
	Time        time.Time      `json:"time"`
	Raw         []byte         `json:"raw"` // base64
}

// Line is m's.
func (m *Message) Line() Line {
	l := Line{
		Type: typeMessage, From: m.From, To: m.To, Src: m.Src, Dst: m.Dst, Transport: m.Transport, Protocol: m.Protocol,
		StartLine: m.StartLine, Method: m.Method, Status: m.Status, CallID: m.CallID, CSeq: m.CSeq,
		Transaction: m.Transaction, MessageID: m.MessageID, ByteRange: m.ByteRange,
		Lost: m.Lost, Time: m.Time, Raw: m.Raw,
	}
	if m.Sent != nil {
		l.SeenBy = append(l.SeenBy, m.From)
	}
	if m.Received != nil {
		l.SeenBy = append(l.SeenBy, m.To)
	}
	return l
}

// message is what a line was made from, as far as it says.
func (l *Line) message() Message {
	m := Message{
		From: l.From, To: l.To, Src: unmapped(l.Src), Dst: unmapped(l.Dst), Transport: l.Transport, Protocol: l.Protocol,
		Time: l.Time, Raw: l.Raw, Lost: l.Lost, Head: readHead(l.Protocol, l.Raw),
	}
	if m.Method == "" {
		m.Method = l.Method
	}
	for _, name := range l.SeenBy {
		r := &Record{
			Participant: name, Time: l.Time, Protocol: l.Protocol, Transport: l.Transport,
			Src: m.Src, Dst: m.Dst, Raw: l.Raw,
		}
		if name == l.From && m.Sent == nil {
			r.Direction, m.Sent = "out", r
		} else if name == l.To {
			r.Direction, m.Received = "in", r
		}
	}
	return m
}
