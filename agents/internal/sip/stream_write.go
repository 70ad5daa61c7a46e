package sip

import (
	"fmt"
	"slices"
	"time"

	"presfed/agents/internal/wire"
)

// send queues b; a peer that lets more wait than Limits.Queue, or PeerQueue, loses
// the connection. b must not change afterwards.
func (c *stream) send(b []byte) error {
	c.mu.Lock()
	if c.closed {
		defer c.mu.Unlock()
		return c.cause
	}
	most := c.endpoint.cfg.Limits.Queue
	if len(c.src.Identities) > 0 {
		most = c.endpoint.cfg.Limits.PeerQueue
	}
	if waiting := c.queued; waiting+len(b) > most {
		c.mu.Unlock()
		err := fmt.Errorf("%w: the peer does not read, %d bytes wait", ErrTransport, waiting)
		c.lose(err)
		return err
	}
	c.queue = append(c.queue, b)
	c.queued += len(b)
	c.mu.Unlock()
	c.wake.Signal()
	return nil
}

// write empties the queue onto the wire, as many messages a system call as wait.
func (c *stream) write() {
	e := c.endpoint
	var batch []byte
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed && !c.last {
			c.wake.Wait()
		}
		if c.closed || len(c.queue) == 0 {
			c.mu.Unlock()
			return
		}
		messages := c.queue
		c.queue = nil
		c.mu.Unlock()

		// Empty lines go out apart: not everybody who reads a message expects them
		// before it in one piece.
		for len(messages) > 0 {
			n := slices.IndexFunc(messages, func(m []byte) bool { return len(m) <= len(ping) })
			switch n {
			case -1:
				n = len(messages)
			case 0:
				n = 1
			}
			batch = batch[:0]
			for _, m := range messages[:n] {
				batch = append(batch, m...)
			}
			if err := c.writeOut(batch); err != nil {
				c.lose(fmt.Errorf("%w: %w", ErrTransport, err))
				return
			}
			for _, m := range messages[:n] {
				if len(m) > len(ping) {
					e.record(wire.Out, c.src, m)
				}
			}
			messages = messages[n:]
		}
		if cap(batch) > 256<<10 {
			batch = nil
		}
	}
}

// writePiece is what has to go out within Limits.WriteTimeout: a peer that reads
// slowly is not one that does not read.
const writePiece = 64 << 10

func (c *stream) writeOut(batch []byte) error {
	for piece := range slices.Chunk(batch, writePiece) {
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.endpoint.cfg.Limits.WriteTimeout)); err != nil {
			return err
		}
		if _, err := c.conn.Write(piece); err != nil {
			return err
		}
		c.mu.Lock()
		c.queued -= len(piece)
		c.mu.Unlock()
	}
	return nil
}

// endWrites lets what is queued go out, and nothing that comes later.
func (c *stream) endWrites() {
	c.mu.Lock()
	c.last = true
	c.mu.Unlock()
	c.wake.Signal()
}
