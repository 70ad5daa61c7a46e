package client

import (
	"cmp"
	"context"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/pidf"
)

// publication is the device's own event state at the server.
type publication struct {
	client *Client
	what   Publication // of Expires, as asked
	etag   string      // "": none is there
	sent   bool        // the body is there as it stands
}

// renew refreshes, modifies or creates, whichever is due. A 412 says that the
// server has lost the state: it is published anew (RFC 3903 section 4.1).
func (p *publication) renew(ctx context.Context) (time.Duration, error) {
	do := func() (granted time.Duration, err error) {
		next := p.what
		next.ETag = p.etag
		if p.etag != "" && p.sent {
			next.Body = nil
		}
		etag, granted, err := p.client.publish(ctx, next, true)
		if err == nil {
			p.etag, p.sent = etag, true
		}
		return granted, err
	}
	granted, err := do()
	if p.etag != "" && refusedWith(err, 412) {
		p.etag = ""
		granted, err = do()
	}
	return granted, err
}

// KeepPublished publishes, modifies what it published before, and refreshes it
// before it ends, until Close. p.ETag is not looked at.
func (c *Client) KeepPublished(ctx context.Context, p Publication) error {
	select {
	case <-c.publishing:
		defer func() { c.publishing <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	state := &publication{client: c, what: p}
	c.mu.Lock()
	old := c.published
	c.mu.Unlock()
	if old != nil {
		// What is under way with the old entity-tag has to end first.
		err := old.kept.last(ctx, func(context.Context) error { state.etag = old.state.etag; return nil })
		if err != nil {
			return err
		}
	}
	now := &published{state: state, kept: c.newKept("publication", state.renew)}
	c.mu.Lock()
	c.published = now
	c.mu.Unlock()
	return now.kept.now(ctx)
}

// published is a publication that is kept.
type published struct {
	state *publication
	kept  *kept
}

// Unpublish removes the publication that is kept, if there is one. One that the
// server has lost is removed already.
func (c *Client) Unpublish(ctx context.Context) error {
	c.mu.Lock()
	p := c.published
	c.published = nil
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.kept.last(ctx, func(ctx context.Context) error {
		if p.state.etag == "" {
			return nil
		}
		_, _, err := c.Publish(ctx, Publication{Event: p.state.what.Event, ETag: p.state.etag})
		if refusedWith(err, 412) {
			return nil
		}
		return err
	})
}

// publishTime is how long a status is to last; it is renewed before.
const publishTime = time.Hour

// Status publishes a status in a word, with a note that may be empty, and keeps
// it. Without Config.Services it says so of one service, text messages to the
// address of record.
func (c *Client) Status(ctx context.Context, status pidf.Status, note string) error {
	return c.KeepPublished(ctx, Publication{Body: c.document(status, note), Expires: publishTime})
}

func (c *Client) document(status pidf.Status, note string) []byte {
	services := c.cfg.Services
	if len(services) == 0 {
		services = []pidf.Service{{ID: tupleID(c.cfg.Name), Contact: message.AOR(c.aor), Capabilities: []string{"text", "text/plain"}}}
	}
	return pidf.Write(pidf.Build(pidf.Facts{Entity: message.AOR(c.aor), Status: status, Note: note, Services: services}), c.cfg.Dialect)
}

// tupleID is a device's name as an xs:ID.
func tupleID(name string) string {
	return "t-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, cmp.Or(name, "im"))
}
