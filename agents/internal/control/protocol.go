package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"presfed/agents/internal/wire"
)

// The operations a client asks for.
const (
	opReady   = "ready"
	opRecords = "records"
	opCommand = "command"
	opStop    = "stop"
)

// The types of what a role sends.
const (
	typeReady  = "ready"
	typeRecord = "record"
	typeLost   = "lost"
	typeEnd    = "end"
	typeAnswer = "answer"
	typeError  = "error"
)

// How long lines may be. A record is base64 of a whole message.
const (
	maxRequest = 1 << 20
	maxLine    = 32 << 20
)

type request struct {
	Op     string `json:"op"`
	After  uint64 `json:"after,omitempty"`
	Follow bool   `json:"follow,omitempty"`
	Line   string `json:"line,omitempty"`
}

// parseRequest refuses what it does not know by name, so that a mistyped
// request is answered and not half obeyed.
func parseRequest(line []byte) (request, error) {
	var req request
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return request{}, fmt.Errorf("request: %w", err)
	}
	if dec.More() {
		return request{}, errors.New("request: want one object a line")
	}
	switch req.Op {
	case opReady, opRecords, opCommand, opStop:
		return req, nil
	default:
		return request{}, fmt.Errorf("request: unknown op %q, want ready, records, command or stop", req.Op)
	}
}

// Info is what a role says of itself when it is ready.
type Info struct {
	Participant string   `json:"participant"`
	PID         int      `json:"pid,omitempty"`
	Listen      []Listen `json:"listen,omitempty"`
}

// Listen is a socket that the role listens on.
type Listen struct {
	Transport string         `json:"transport"` // UDP, TCP, TLS, MSRP; HTTP: of rules
	Addr      netip.AddrPort `json:"addr"`
}

type readyLine struct {
	Type string `json:"type"`
	Info
}

type recordLine struct {
	Type string `json:"type"`
	wire.Record
}

type lostLine struct {
	Type  string `json:"type"`
	Count uint64 `json:"count"`
}

type endLine struct {
	Type string `json:"type"`
}

type answerLine struct {
	Type   string `json:"type"`
	Result any    `json:"result,omitempty"`
}

type errorLine struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// LostError says that records were dropped because the buffer was full before
// they were read.
type LostError struct{ Count uint64 }

func (e *LostError) Error() string {
	return fmt.Sprintf("%d wire records are lost: they came faster than they were read", e.Count)
}

// CommandError is the role's own no to a command or a request.
type CommandError struct{ Message string }

func (e *CommandError) Error() string { return e.Message }
