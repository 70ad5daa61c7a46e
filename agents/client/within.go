package client

import (
	"context"
	"errors"
	"sync"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
)

// within sends requests within a dialog, one after the other, so that their
// CSeq numbers arrive in order.
type within struct {
	client *Client
	turn   chan struct{} // holds one token while nobody waits for an answer

	mu sync.Mutex
	d  *dialog.Dialog // nil until there is one
}

func newWithin(c *Client) *within {
	w := &within{client: c, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

var errNoDialog = errors.New("there is no dialog yet")

// spare is what answering challenges may add to a CSeq number.
const spare = 4

// send sends one request within the dialog; complete adds to it. The error is
// as do's.
func (w *within) send(ctx context.Context, method string, complete func(*message.Request)) (*message.Response, error) {
	select {
	case <-w.turn:
		defer func() { w.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	w.mu.Lock()
	if w.d == nil {
		w.mu.Unlock()
		return nil, errNoDialog
	}
	req, err := w.d.Request(method)
	now := *w.d // where it goes must not change under way
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	to, err := w.client.nextHop(ctx, &now)
	if err != nil {
		return nil, err
	}
	w.client.sign(req)
	if complete != nil {
		complete(req)
	}
	res, err := w.client.lasting(ctx, req, to, true)
	w.mu.Lock()
	defer w.mu.Unlock()
	if res == nil {
		w.d.LocalSeq += spare
		return nil, err
	}
	if cseq, cerr := message.CSeqOf(res); cerr == nil {
		w.d.LocalSeq = max(w.d.LocalSeq, cseq.Seq)
	}
	return res, errors.Join(err, w.d.Answered(res))
}
