package client

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
)

// SubscribeOptions say what to watch for.
type SubscribeOptions struct {
	Event   string        // empty: presence
	Accept  string        // empty: application/pidf+xml
	Expires time.Duration // 0 fetches once (RFC 6665 section 4.4.3)
}

// Subscription is the subscriber's half of one (RFC 6665). It is refreshed
// until Unsubscribe or the notifier ends it.
type Subscription struct {
	client *Client
	opts   SubscribeOptions
	target message.URI
	callID string
	local  message.Address

	mu      sync.Mutex
	remote  message.Address // To of our requests; its tag from the first NOTIFY
	contact message.URI     // the remote target
	routes  []string
	seen    uint32 // highest CSeq of a NOTIFY
	state   string // "" before the first NOTIFY
	refresh interface{ Stop() bool }
	ended   chan struct{}
}

// Done is closed when the subscription is over.
func (s *Subscription) Done() <-chan struct{} { return s.ended }

// State is active, pending or terminated; "" before the first NOTIFY.
func (s *Subscription) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Subscribe asks to watch a user. It returns when the SUBSCRIBE is answered;
// what NOTIFYs bring is told by presence events, possibly before that.
func (c *Client) Subscribe(ctx context.Context, target string, opts SubscribeOptions) (*Subscription, error) {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return nil, err
	}
	if opts.Event == "" {
		opts.Event = "presence"
	}
	if opts.Accept == "" {
		opts.Accept = "application/pidf+xml"
	}
	req := c.request(message.SUBSCRIBE, uri, message.Address{URI: uri}.String())
	s := &Subscription{client: c, opts: opts, target: uri, callID: message.CallID(req), remote: message.Address{URI: uri}, ended: make(chan struct{})}
	if s.local, err = message.From(req); err != nil {
		return nil, err
	}
	s.complete(req, opts.Expires)
	c.mu.Lock()
	c.subs[s.callID] = s // before it is sent: a NOTIFY may overtake the 2xx (section 4.1.2.4)
	c.mu.Unlock()
	res, err := c.do(ctx, req, nil, nil)
	if err != nil {
		c.forget(s)
		return nil, err
	}
	s.answered(res)
	return s, nil
}

func (s *Subscription) complete(req *message.Request, expires time.Duration) {
	message.Add(req, "Event", s.opts.Event)
	message.Add(req, "Accept", s.opts.Accept)
	message.Add(req, "Expires", seconds(expires))
	message.Add(req, "Contact", message.Address{URI: s.client.contact()}.String())
}

// answered takes a 2xx: how long the subscription lasts, and where it lives if
// no NOTIFY has said so yet.
func (s *Subscription) answered(res *message.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to, err := message.To(res); err == nil && s.remote.Tag() == "" {
		s.remote = to
		if contact, err := message.AddressOf(res, "Contact"); err == nil {
			s.contact = contact.URI
		}
		s.routes = message.Raw(res, "Record-Route")
		slices.Reverse(s.routes)
	}
	if n, ok := message.Seconds(res, "Expires"); ok && n > 0 {
		s.schedule(time.Duration(n) * time.Second)
	}
}

// schedule refreshes well before the end. The lock is held.
func (s *Subscription) schedule(lasts time.Duration) {
	if s.refresh != nil {
		s.refresh.Stop()
	}
	if s.state == "terminated" || s.opts.Expires == 0 {
		return
	}
	ahead := max(lasts*4/5, lasts-30*time.Second)
	s.refresh = s.client.clock.AfterFunc(ahead, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 32*time.Second)
		defer cancel()
		if err := s.again(ctx, s.opts.Expires); err != nil {
			s.client.log.Warn("subscription not refreshed", "target", s.target.String(), "error", err)
		}
	})
}

// Unsubscribe ends the subscription (RFC 6665 section 4.1.2.3); the NOTIFY that
// closes it follows.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	s.mu.Lock()
	if s.refresh != nil {
		s.refresh.Stop()
	}
	s.opts.Expires = 0
	over := s.state == "terminated"
	s.mu.Unlock()
	if over {
		return nil
	}
	return s.again(ctx, 0)
}

// again sends a SUBSCRIBE within the dialog. A 481 ends the subscription.
func (s *Subscription) again(ctx context.Context, expires time.Duration) error {
	c := s.client
	s.mu.Lock()
	uri := s.contact
	if uri.Host == "" {
		uri = s.target
	}
	req := c.request(message.SUBSCRIBE, uri, s.remote.String())
	message.Set(req, "From", s.local.String())
	message.Set(req, "Call-ID", s.callID)
	for _, r := range s.routes {
		message.Add(req, "Route", r)
	}
	s.mu.Unlock()
	s.complete(req, expires)
	res, err := c.do(ctx, req, nil, nil)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Status() == 481 {
		s.end("the notifier does not know the subscription")
	}
	if err != nil {
		return err
	}
	s.answered(res)
	return nil
}

// notified takes a NOTIFY (RFC 6665 section 4.1.3).
func (c *Client) notified(req *message.Request, reply func(int, ...string)) {
	c.mu.Lock()
	s := c.subs[message.CallID(req)]
	c.mu.Unlock()
	to, err := message.To(req)
	if err != nil || s == nil || to.Tag() != s.local.Tag() {
		reply(481)
		return
	}
	event, _, _ := strings.Cut(message.Get(req, "Event"), ";")
	if !strings.EqualFold(strings.TrimSpace(event), s.opts.Event) {
		reply(489, "Allow-Events", s.opts.Event)
		return
	}
	state, params, err := subscriptionState(req)
	if err != nil {
		reply(400)
		return
	}
	cseq, _ := message.CSeqOf(req)
	s.mu.Lock()
	from, _ := message.From(req)
	if tag := s.remote.Tag(); tag != "" && s.seen > 0 && tag != from.Tag() {
		s.mu.Unlock()
		reply(481) // another fork of our SUBSCRIBE: one subscription is enough (section 4.4.1)
		return
	}
	if cseq.Seq <= s.seen {
		s.mu.Unlock()
		reply(500) // RFC 3261 section 12.2.2: out of order
		return
	}
	s.seen, s.state, s.remote = cseq.Seq, state, message.Address{URI: from.URI, Params: from.Params, Display: from.Display}
	if contact, err := message.AddressOf(req, "Contact"); err == nil {
		s.contact = contact.URI
	}
	if rr := message.Raw(req, "Record-Route"); len(rr) > 0 { // section 4.3: the route set comes with NOTIFY
		s.routes = rr
	}
	if v, ok := params.Get("expires"); ok {
		if n, err := strconv.ParseUint(v, 10, 32); err == nil && n > 0 {
			s.schedule(time.Duration(n) * time.Second)
		}
	}
	s.mu.Unlock()
	reply(200)
	reason, _ := params.Get("reason")
	e := Event{Type: "presence", Entity: message.AOR(s.target), State: state, Reason: reason}
	if len(req.Body()) > 0 {
		e.ContentType, e.Body = message.Get(req, "Content-Type"), string(req.Body())
	}
	c.emit(e)
	if state == "terminated" {
		s.end(reason)
	}
}

func subscriptionState(req *message.Request) (state string, params message.Params, err error) {
	v := message.Get(req, "Subscription-State")
	state, rest, found := strings.Cut(v, ";")
	state = strings.ToLower(strings.TrimSpace(state))
	if state == "" {
		return "", nil, &message.ParseError{Status: 400, Where: "Subscription-State", What: "missing"}
	}
	if found {
		params, err = message.ParseParams(";" + rest)
	}
	return state, params, err
}

func (s *Subscription) end(reason string) {
	s.mu.Lock()
	if s.refresh != nil {
		s.refresh.Stop()
	}
	was := s.state
	s.state = "terminated"
	s.mu.Unlock()
	if s.client.forget(s) && was != "terminated" {
		s.client.emit(Event{Type: "presence", Entity: message.AOR(s.target), State: "terminated", Reason: reason})
	}
}

// forget takes the subscription out; false if it was out already.
func (c *Client) forget(s *Subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[s.callID] != s {
		return false
	}
	delete(c.subs, s.callID)
	close(s.ended)
	return true
}
