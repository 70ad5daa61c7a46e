package msrp

import (
	"errors"
	"slices"
	"sync"
)

// outgoing is one frame to write.
type outgoing struct {
	raw []byte
	// written is called by the writing goroutine after the write, or with an
	// error; it must not block. May be nil.
	written func(error)
	divide  *divisible // nil: it is written whole
}

// queue orders what a connection writes: responses and REPORTs first, then
// one chunk of each message in turn (RFC 4975 section 7.1.1 asks for both).
type queue struct {
	wake chan struct{} // something was pushed
	room chan struct{} // responses were taken

	mu     sync.Mutex
	closed error
	urgent []outgoing
	lanes  []*lane // those with something in them; the first is next
}

// lane is one message's place in the queue.
type lane struct {
	frames  []outgoing
	stopped bool // nothing more of this message
}

var errStopped = errors.New("msrp: message stopped")

func (q *queue) init() { q.wake, q.room = make(chan struct{}, 1), make(chan struct{}, 1) }

// push queues a frame: in a lane, or ahead of them all when it is nil.
func (q *queue) push(l *lane, f outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case l == nil:
		q.urgent = append(q.urgent, f)
	case l.stopped:
		return errStopped
	default:
		if len(l.frames) == 0 {
			q.lanes = append(q.lanes, l)
		}
		l.frames = append(l.frames, f)
	}
	signal(q.wake)
	return nil
}

// waiting is the number of urgent frames.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.urgent)
}

// next takes urgent frames up to about size bytes, and then at most one chunk:
// nothing is written behind a chunk in the same write, so that its response
// cannot be read before the write has returned.
func (q *queue) next(batch []outgoing, size int) []outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.urgent) && size > 0 {
		size -= len(q.urgent[n].raw)
		n++
	}
	if n > 0 {
		batch = append(batch, q.urgent[:n]...)
		q.urgent = slices.Delete(q.urgent, 0, n)
		signal(q.room)
	}
	if len(q.urgent) == 0 && len(q.lanes) > 0 {
		l := q.lanes[0]
		batch = append(batch, l.frames[0])
		l.frames = slices.Delete(l.frames, 0, 1)
		q.lanes = slices.Delete(q.lanes, 0, 1)
		if len(l.frames) > 0 {
			q.lanes = append(q.lanes, l)
		}
	}
	return batch
}

// resume queues a frame ahead of the others in its lane; the other lanes are
// next.
func (q *queue) resume(l *lane, f outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case l.stopped:
		return errStopped
	}
	q.lanes = append(slices.DeleteFunc(q.lanes, func(x *lane) bool { return x == l }), l)
	l.frames = slices.Insert(l.frames, 0, f)
	return nil
}

// interrupts is how a chunk of that lane is to be ended now: Last: not yet.
func (q *queue) interrupts(l *lane) Flag {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case l.stopped:
		return Abort
	case len(q.urgent) > 0, len(q.lanes) > 1, len(q.lanes) == 1 && q.lanes[0] != l:
		return More
	}
	return Last
}

// drop takes what is in a lane out of the queue, and stops the lane.
func (q *queue) drop(l *lane) []outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := l.frames
	l.frames, l.stopped = nil, true
	q.lanes = slices.DeleteFunc(q.lanes, func(x *lane) bool { return x == l })
	return left
}

// close refuses further frames and gives back those not taken.
func (q *queue) close(err error) (left []outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = err
	left = q.urgent
	for _, l := range q.lanes {
		left = append(left, l.frames...)
		l.frames = nil
	}
	q.urgent, q.lanes = nil, nil
	return left
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
