package client

import "time"

// Event is something that happened to a device, as it is printed: one line, or
// one JSON object. Fields that do not apply are left out.
type Event struct {
	Type string    `json:"type"` // ready, registered, published, presence, im, sent, failed, closed
	Time time.Time `json:"time"`

	AOR     string `json:"aor,omitempty"`
	Expires int    `json:"expires,omitempty"` // seconds
	ETag    string `json:"etag,omitempty"`

	Entity      string `json:"entity,omitempty"`
	State       string `json:"state,omitempty"`  // of the subscription
	Reason      string `json:"reason,omitempty"` // why it ended, or why something failed
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body,omitempty"`

	From string `json:"from,omitempty"`
	Via  string `json:"via,omitempty"` // im: page or session
	Text string `json:"text,omitempty"`
	Code int    `json:"code,omitempty"`
}

func (c *Client) emit(e Event) {
	if c.cfg.OnEvent != nil {
		e.Time = c.clock.Now()
		c.cfg.OnEvent(e)
	}
}
