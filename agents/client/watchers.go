package client

import (
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/watcherinfo"
)

// WatchersEvent is the event package of who watches a user's presence (RFC 3857).
const WatchersEvent = "presence.winfo"

// Watcher is somebody who watches the user, or wants to.
type Watcher struct {
	Entity string `json:"entity"`
	Name   string `json:"name,omitempty"` // what she calls herself
	State  string `json:"state"`          // pending, active, waiting
	Reason string `json:"reason"`         // what brought her there: subscribe, approved, timeout, ...
}

// HasWatchers says whether the server said, when this device last registered, that
// it tells who watches the user. One that says nothing is not asked: a presence server
// of Debian's Kamailio 5.6 that keeps no database dies of such a SUBSCRIBE.
func (c *Client) HasWatchers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.winfo
}

// ofWatchers says that it is one to watcher information.
func (s *Subscription) ofWatchers() bool { return s.opts.ofWatchers() }

// By a pointer, for other options may change meanwhile.
func (o *SubscribeOptions) ofWatchers() bool { return strings.HasSuffix(o.Event, ".winfo") }

// Watchers are those whom the user was told of and who have not ended.
func (s *Subscription) Watchers() (all []Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watchers.Watchers() {
		all = append(all, Watcher{Entity: w.URI, Name: w.Name, State: string(w.Status), Reason: string(w.Event)})
	}
	return all
}

// watched reads what a NOTIFY tells of watchers; nil tells nothing.
func watched(req *message.Request) (*watcherinfo.Document, error) {
	if req == nil {
		return nil, nil
	}
	d, err := watcherinfo.Parse(req.Body())
	return &d, err
}

// tellWatchers tells of each watcher that is new or stands elsewhere, then that
// there was a notification. Where one is missing, the whole state is asked for
// (RFC 3858 section 4).
func (s *Subscription) tellWatchers(d *watcherinfo.Document, state, reason string) {
	var taken watcherinfo.Taken
	if d != nil {
		s.mu.Lock()
		taken = s.watchers.Take(*d)
		s.mu.Unlock()
	}
	for _, w := range taken.Changed {
		e := Event{Type: "watcher", Entity: w.URI, Name: w.Name, State: string(w.Status), Reason: string(w.Event)}
		if w.Expiration != nil {
			e.Expires = int(min(*w.Expiration, 1<<31-1))
		}
		s.client.emit(e)
	}
	s.client.emit(Event{Type: "watchers", Entity: s.entity(), State: state, Reason: reason})
	if taken.Lost && state != "terminated" {
		s.client.spawn(s.renew)
	}
}
