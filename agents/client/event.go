package client

import "time"

// Event is something that happened to a device, as it is printed: one line, or
// one JSON object. Fields that do not apply are left out.
type Event struct {
	// ready, registered, published, presence, buddies, watcher, watchers, im, composing, notice, file, session, sent, failed, closed
	Type string    `json:"type"`
	Time time.Time `json:"time"`

	Name      string   `json:"name,omitempty"`      // watcher: what she calls herself; file: its own, made safe; ready: the device's, and where it listens,
	Addresses []string `json:"addresses,omitempty"` // "tcp:127.0.0.1:5060"

	AOR     string `json:"aor,omitempty"`
	Expires int    `json:"expires,omitempty"` // seconds
	ETag    string `json:"etag,omitempty"`

	Entity      string `json:"entity,omitempty"`
	List        string `json:"list,omitempty"`   // presence: the list that the entity is on, if it came by one
	State       string `json:"state,omitempty"`  // of the subscription or session; im: established, early; composing: active, idle; file: complete, refused, failed
	Reason      string `json:"reason,omitempty"` // why it ended, or why something failed
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body,omitempty"`
	Size        int64  `json:"size,omitempty"` // bytes of what was sent or came by a session
	File        string `json:"file,omitempty"` // where what came was saved, or what was sent
	Hash        string `json:"hash,omitempty"` // file, sent: the strongest that was checked, as in a=file-selector

	Person *Person `json:"person,omitempty"` // presence: what the document says
	Tuples []Tuple `json:"tuples,omitempty"`

	From string `json:"from,omitempty"`
	Peer string `json:"peer,omitempty"` // the other end of a session, or whom something was sent to
	Via  string `json:"via,omitempty"`  // im, sent: page or session; session, sent, closed: file
	Text string `json:"text,omitempty"`

	Subject   string   `json:"subject,omitempty"`    // im: what it says in its envelope (RFC 3862)
	MessageID string   `json:"message_id,omitempty"` // im, sent: by which notices name it; notice: which message
	Notify    []Notice `json:"notify,omitempty"`     // im: what its sender wants to be told of
	Notice    Notice   `json:"notice,omitempty"`     // notice, sent: of what; State is what became of the message
	Code      int      `json:"code,omitempty"`
}

// emit tells an event; one call at a time.
func (c *Client) emit(e Event) {
	if c.cfg.OnEvent == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	e.Time = c.clock.Now()
	c.cfg.OnEvent(e)
}
