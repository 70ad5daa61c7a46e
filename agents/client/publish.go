package client

import (
	"context"
	"fmt"
	"time"

	"presfed/agents/internal/message"
)

// Publication is one PUBLISH (RFC 3903 section 4). Without ETag it creates
// state; with ETag and a body it modifies, without a body it refreshes, with
// Expires 0 it removes.
type Publication struct {
	Event       string // empty: presence
	ETag        string
	ContentType string // empty: application/pidf+xml
	Body        []byte
	Expires     time.Duration
}

// Publish sends a publication for the device's own user and gives the
// entity-tag to go on with and the time granted.
func (c *Client) Publish(ctx context.Context, p Publication) (etag string, granted time.Duration, err error) {
	return c.publish(ctx, p, c.cfg.Lengthen)
}

func (c *Client) publish(ctx context.Context, p Publication, lengthen bool) (etag string, granted time.Duration, err error) {
	req := c.request(message.PUBLISH, c.aor, message.Address{URI: c.aor}.String())
	event, contentType := p.Event, p.ContentType
	if event == "" {
		event = "presence"
	}
	if contentType == "" {
		contentType = "application/pidf+xml"
	}
	message.Add(req, "Event", event)
	message.Add(req, "Expires", seconds(p.Expires))
	if p.ETag != "" {
		message.Add(req, "SIP-If-Match", p.ETag)
	}
	if len(p.Body) > 0 {
		message.SetBody(req, contentType, p.Body)
	}
	res, err := c.lasting(ctx, req, nil, lengthen)
	if err != nil {
		return "", 0, err
	}
	etag = message.Get(res, "SIP-ETag")
	if etag == "" && p.Expires > 0 {
		return "", 0, fmt.Errorf("PUBLISH was answered %d without SIP-ETag (RFC 3903 section 6 step 7)", res.StatusCode)
	}
	granted = p.Expires
	if n, ok := message.Seconds(res, "Expires"); ok {
		granted = time.Duration(n) * time.Second
	}
	c.emit(Event{Type: "published", AOR: c.AOR(), ETag: etag, Expires: int(granted / time.Second)})
	return etag, granted, nil
}
