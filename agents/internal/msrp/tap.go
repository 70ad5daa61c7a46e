package msrp

import (
	"time"

	"presfed/agents/internal/wire"
)

// maxRecorded is how much of a chunk's body a record holds. A longer body,
// which only a peer can send, is cut there: Raw then is the head, the first 64
// KiB of the body, and the end-line.
const maxRecorded = 64 << 10

// tapOut records a frame after its write. The number in the participant's
// sequence is the tap's to give. The time is that before the write:
// a response that is quicker than this goroutine must not look older than its
// request.
func (c *conn) tapOut(at time.Time, raw []byte) {
	if c.e.cfg.Tap == nil {
		return
	}
	c.e.cfg.Tap(c.record(wire.Out, at, raw))
}

// tapIn records a frame once it is there, before it is acted upon.
func (c *conn) tapIn(head, body, tail []byte) {
	if c.e.cfg.Tap == nil {
		return
	}
	raw := make([]byte, 0, len(head)+len(body)+len(tail))
	raw = append(append(append(raw, head...), body...), tail...)
	c.e.cfg.Tap(c.record(wire.In, c.e.cfg.Clock.Now(), raw))
}

func (c *conn) record(dir wire.Direction, at time.Time, raw []byte) wire.Record {
	r := wire.Record{
		Participant: c.e.cfg.Participant, Direction: dir, Time: at, Protocol: wire.MSRP, Transport: "TCP",
		Src: c.local, Dst: c.remote, Raw: raw,
	}
	if dir == wire.In {
		r.Src, r.Dst = r.Dst, r.Src
	}
	if c.tls() != nil {
		r.Transport = "TLS"
	}
	return r
}
