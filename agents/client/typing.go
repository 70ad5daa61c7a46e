package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"presfed/agents/internal/composing"
	"presfed/agents/internal/cpim"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
)

// ErrNotTaken: the peer does not want to hear that somebody composes a message.
var ErrNotTaken = errors.New("does not take isComposing")

// typing is who composes a message for whom (RFC 3994).
type typing struct {
	mu   sync.Mutex
	ours map[writing]*writer
	them map[writing]*composing.Receiver
}

// writing is to whom, or who, and whether in a session.
type writing struct {
	peer    string
	session bool
}

// writer sends what we do, the newest state only.
type writer struct {
	*composing.Composer
	client *Client
	to     message.URI
	writing

	mu      sync.Mutex
	due     *composing.Status
	sending chan struct{} // closed when nothing is being sent any more; nil: nothing is
	refused bool
}

// Composing says that the user adds to a message for another one: in the session
// with her if there is one, else by MESSAGE, which is meant for an answer to a
// message of hers (section 7). It goes on until the message is sent, or nothing
// was added for 15 seconds.
func (c *Client) Composing(target string) error {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return err
	}
	key := writing{message.AOR(uri), c.talking(message.AOR(uri)) != nil}
	c.typing.mu.Lock()
	w := c.typing.ours[key]
	if w == nil {
		w = &writer{client: c, to: uri, writing: key}
		w.Composer = composing.NewComposer(composing.ComposerConfig{Clock: c.clock, Send: w.send})
		if c.typing.ours == nil {
			c.typing.ours = map[writing]*writer{}
		}
		c.typing.ours[key] = w
	}
	c.typing.mu.Unlock()
	w.mu.Lock()
	refused := w.refused
	w.mu.Unlock()
	if refused {
		return fmt.Errorf("%s %w", key.peer, ErrNotTaken)
	}
	w.Composing(textPlain)
	return nil
}

// talking is the established session for messages with a user.
func (c *Client) talking(peer string) *Session {
	for _, s := range c.Sessions() {
		if s.peer == peer && !s.ForFile() && s.Established() {
			return s
		}
	}
	return nil
}

// send has a status sent; what it replaces is not sent any more.
func (w *writer) send(s composing.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = &s
	if w.sending == nil && w.client.spawn(w.sendAll) {
		w.sending = make(chan struct{})
	}
}

func (w *writer) sendAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	for {
		w.mu.Lock()
		s := w.due
		if w.due = nil; s == nil {
			close(w.sending)
			w.sending = nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		switch err := w.sendOne(ctx, *s); {
		case refusedWith(err, 415), errors.Is(err, msrp.ErrType): // section 4: it must cease
			w.mu.Lock()
			w.refused = true
			w.mu.Unlock()
			w.Stop()
			w.client.emit(Failed(fmt.Errorf("%s %w: %w", w.peer, ErrNotTaken, err)))
		case err != nil:
			w.client.log.Info("isComposing not sent", "to", w.peer, "error", err)
		}
	}
}

func (w *writer) sendOne(ctx context.Context, s composing.Status) error {
	c := w.client
	if !w.session {
		_, err := c.pageTo(ctx, w.to, composing.Type, s.Marshal(), 0)
		return err
	}
	in := c.talking(w.peer)
	switch {
	case in == nil:
		return ErrClosed
	case in.media.Takes(composing.Type):
		return in.put(ctx, composing.Type, s.Marshal())
	case !in.media.TakesWrapped(composing.Type, cpim.Type):
		return msrp.ErrType
	}
	body, _, err := c.wrap(w.to, Envelope{CPIM: true}, composing.Type, s.Marshal())
	if err != nil {
		return err
	}
	return in.put(ctx, cpim.Type, body)
}

// sending: a message for a user is about to be sent. What was to be said before is
// not said any more, and what is under way goes first: after the message it would
// be wrong.
func (t *typing) sending(ctx context.Context, peer string) {
	var ways []chan struct{}
	t.mu.Lock()
	for key, w := range t.ours {
		if key.peer != peer {
			continue
		}
		w.Sent()
		w.mu.Lock()
		w.due = nil
		if w.sending != nil {
			ways = append(ways, w.sending)
		}
		w.mu.Unlock()
	}
	t.mu.Unlock()
	for _, way := range ways {
		select {
		case <-way:
		case <-ctx.Done():
		}
	}
}

// maxTyping bounds the users of whom it is known that they compose something.
const maxTyping = 64

// heard takes a status message.
func (t *typing) heard(c *Client, e Event, s composing.Status) {
	key := writing{e.From, e.Via == "session"}
	t.mu.Lock()
	r := t.them[key]
	if r == nil && s.Active && t.room() {
		r = composing.NewReceiver(c.clock, func(s composing.Status) {
			e := Event{Type: "composing", From: e.From, Via: e.Via, State: "idle"}
			if s.Active {
				e.State, e.ContentType = "active", s.ContentType
			}
			c.emit(e)
		})
		if t.them == nil {
			t.them = map[writing]*composing.Receiver{}
		}
		t.them[key] = r
	}
	t.mu.Unlock()
	if r != nil {
		r.Status(s)
	}
}

// room makes place for one more, of whom nothing was known. The lock is held.
func (t *typing) room() bool {
	for key, r := range t.them {
		if len(t.them) >= maxTyping && !r.Active() {
			delete(t.them, key)
		}
	}
	return len(t.them) < maxTyping
}

// over: a message of a user has come.
func (t *typing) over(from string) {
	for _, session := range []bool{false, true} {
		t.mu.Lock()
		r := t.them[writing{from, session}]
		t.mu.Unlock()
		if r != nil {
			r.Content()
		}
	}
}

// ended: the last session with a user is over, and with it what was said in it; the next
// one agrees anew on what it takes.
func (t *typing) ended(peer string) {
	key := writing{peer, true}
	t.mu.Lock()
	w, r := t.ours[key], t.them[key]
	delete(t.ours, key)
	delete(t.them, key)
	t.mu.Unlock()
	if w != nil {
		w.Stop()
	}
	if r != nil {
		r.Content()
	}
}

// stop lets no timer wake any more.
func (t *typing) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.ours {
		w.Stop()
	}
	for _, r := range t.them {
		r.Stop()
	}
}
