package sip

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"presfed/agents/internal/clock"
)

// errSilent: the peer answers no keep-alive.
var errSilent = errors.New("silent: it answers no keep-alive")

// keepAlive pings a peer that has proved who it is, when it has been silent for a
// while (RFC 5626 section 4.4.1): a link that swallows what is sent is noticed
// within three intervals, long before transactions time out. Only who has sent an
// empty line once, a pong or a ping, is held to it: others may know no keep-alives.
type keepAlive struct {
	heard  atomic.Bool // something has come since the last look
	knows  atomic.Bool // the peer does keep-alives
	pinged bool        // since it was last heard; the timer's
}

// ping is the double CRLF, pong its answer.
var ping, pong = []byte("\r\n\r\n"), []byte("\r\n")

// keepAlive looks after the connection until stopped; the first ping finds out
// whether the peer does keep-alives.
func (c *stream) keepAlive() (stop func()) {
	every := c.endpoint.cfg.KeepAlive
	if every <= 0 || len(c.src.Identities) == 0 {
		return func() {}
	}
	c.send(ping)
	var timer clock.Timer
	set := make(chan struct{})
	timer = c.endpoint.clock.AfterFunc(every, func() {
		<-set
		if c.look(every) {
			timer.Reset(every)
		}
	})
	close(set)
	return func() { timer.Stop() }
}

// look is what is done each interval; false once the connection is given up.
func (c *stream) look(every time.Duration) bool {
	k := &c.alive
	switch {
	case k.heard.Swap(false):
		k.pinged = false
	case k.pinged && k.knows.Load():
		c.lose(fmt.Errorf("%w: %w for %s", ErrTransport, errSilent, 2*every))
		return false
	default:
		k.pinged = true
		return c.send(ping) == nil
	}
	return true
}
