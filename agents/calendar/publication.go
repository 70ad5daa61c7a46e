package calendar

import (
	"bytes"
	"context"
	"errors"
	"time"

	"presfed/agents/client"
)

// publication is a user's event state at her server that the feeder made.
type publication struct {
	client  *client.Client
	longest time.Duration // that is asked for at once

	etag  string // empty: none is there
	body  []byte
	gone  time.Time // when the server lets go of it, at the latest
	renew time.Time // when it is to be refreshed, so that it does not
}

// show has the server show a body, until a time at the longest: it is asked for
// no longer, though a server may insist (423).
func (p *publication) show(ctx context.Context, now time.Time, body []byte, until time.Time) error {
	if p.etag != "" && bytes.Equal(body, p.body) && now.Before(p.renew) {
		return nil
	}
	lasts := min(p.longest, until.Sub(now)).Truncate(time.Second)
	err := p.publish(ctx, now, body, lasts)
	if p.etag != "" && refusedWith(err, 412) {
		p.etag = "" // the server has lost it (RFC 3903 section 4.1)
		err = p.publish(ctx, now, body, lasts)
	}
	if err == nil && p.gone.After(until.Add(-2*time.Second)) {
		p.renew = until // it lasts as long as it should
	}
	return err
}

func (p *publication) publish(ctx context.Context, now time.Time, body []byte, lasts time.Duration) error {
	what := client.Publication{ETag: p.etag, Body: body, Expires: lasts}
	if p.etag != "" && bytes.Equal(body, p.body) {
		what.Body = nil
	}
	etag, granted, err := p.client.Publish(ctx, what)
	if err != nil {
		return err
	}
	p.etag, p.body = etag, body
	p.gone, p.renew = now.Add(granted), now.Add(max(granted*4/5, granted-30*time.Second))
	return nil
}

// remove takes it away, if it is there.
func (p *publication) remove(ctx context.Context, now time.Time) error {
	if p.etag == "" {
		return nil
	}
	_, _, err := p.client.Publish(ctx, client.Publication{ETag: p.etag})
	if err == nil || refusedWith(err, 412) || !now.Before(p.gone) {
		p.etag, err = "", nil
	}
	return err
}

func refusedWith(err error, status int) bool {
	var refused *client.RefusedError
	return errors.As(err, &refused) && refused.Status() == status
}
