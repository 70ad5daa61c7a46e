package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/watcherinfo"
)

// SubscribeOptions say what to watch for.
type SubscribeOptions struct {
	Event   string        // empty: presence
	Accept  string        // empty: application/pidf+xml, or what a list or watcher information takes
	List    bool          // the target is a list of resources (RFC 4662)
	Expires time.Duration // 0 fetches once (RFC 6665 section 4.4.3)
}

// Subscription is the subscriber's half of one (RFC 6665). It is refreshed
// until Unsubscribe or the notifier ends it.
type Subscription struct {
	*within
	opts     SubscribeOptions
	target   message.URI
	asked    *message.Request // the first SUBSCRIBE
	byNotify bool             // the dialog is the one a NOTIFY made
	state    string           // "" before the first NOTIFY
	reason   string           // why it is over
	retry    time.Duration    // when its notifier would be asked again; 0: it has not said
	until    time.Time        // when it ends if nothing renews it
	refresh  clock.Timer
	silence  clock.Timer // Timer N: a NOTIFY is due (section 4.1.2.4)
	ended    chan struct{}

	table     rlmi.Table      // of a list
	listState string          // what was told of the list itself
	shown     map[string]bool // of whom something was told; the NOTIFYs' own

	watchers watcherinfo.Table // of one to watcher information
}

// Done is closed when the subscription is over.
func (s *Subscription) Done() <-chan struct{} { return s.ended }

// Target is whom it watches.
func (s *Subscription) Target() string { return s.entity() }

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
	opts.Event = cmp.Or(opts.Event, "presence")
	req := c.request(message.SUBSCRIBE, uri, message.Address{URI: uri}.String())
	opts.Accept = cmp.Or(message.Get(req, "Accept"), opts.Accept, opts.types()) // a field of Config.Headers goes first
	s := &Subscription{within: newWithin(c), opts: opts, target: uri, ended: make(chan struct{}), shown: map[string]bool{}}
	s.complete(opts.Expires)(req)
	s.asked = message.Clone(req)
	c.mu.Lock()
	c.subs[message.CallID(req)] = s // before it is sent: a NOTIFY may overtake the 2xx (section 4.1.2.4)
	c.mu.Unlock()
	res, err := c.lasting(ctx, req, nil, c.cfg.Lengthen)
	if err != nil {
		c.forget(s)
		return nil, err
	}
	s.answered(res)
	if err := s.isList(ctx, res); err != nil {
		return nil, err
	}
	return s, nil
}

func (o SubscribeOptions) types() string {
	switch {
	case o.ofWatchers():
		return watcherinfo.ContentType
	case o.List:
		return listTypes + ", " + contentType
	}
	return contentType
}

// contentType is that of presence documents.
const contentType = "application/pidf+xml"

func (s *Subscription) complete(expires time.Duration) func(*message.Request) {
	return func(req *message.Request) {
		message.Add(req, "Event", s.opts.Event)
		message.Set(req, "Accept", s.opts.Accept)
		message.Add(req, "Expires", seconds(expires))
		if s.opts.List {
			message.Set(req, "Supported", rlmi.Extension)
		}
		message.Add(req, "Contact", message.Address{URI: s.client.contact()}.String())
	}
}

// answered takes a 2xx: how long the subscription lasts, and where it lives if
// no NOTIFY has said so yet.
func (s *Subscription) answered(res *message.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d == nil {
		if !message.Has(res, "Contact") { // COMPAT: it must be there; until a NOTIFY brings one, the user's own URI
			res = message.CloneResponse(res)
			message.Add(res, "Contact", message.Address{URI: s.target}.String())
		}
		d, err := dialog.UAC(s.asked, res)
		if err != nil {
			s.client.log.Info("a 2xx that makes no dialog", "target", s.target.String(), "error", err)
		}
		s.d = d
	}
	if cseq, err := message.CSeqOf(res); err == nil && s.d != nil {
		s.d.LocalSeq = max(s.d.LocalSeq, cseq.Seq)
	}
	if s.state == "" || s.opts.Expires == 0 {
		s.expect()
	}
	if n, ok := message.Seconds(res, "Expires"); ok && n > 0 {
		s.schedule(time.Duration(n) * time.Second)
	}
}

// expect ends the subscription if no NOTIFY comes in the time of Timer N. The
// lock is held.
func (s *Subscription) expect() {
	if s.silence != nil {
		s.silence.Stop()
	}
	if s.state == "terminated" {
		return
	}
	t1 := cmp.Or(s.client.cfg.Timers.T1, sip.DefaultTimers.T1)
	s.silence = s.client.clock.AfterFunc(64*t1, func() { s.over("no NOTIFY came") })
}

// schedule refreshes well before the end. The lock is held.
func (s *Subscription) schedule(lasts time.Duration) {
	s.until = s.client.clock.Now().Add(lasts)
	s.renewIn(ahead(lasts))
}

func (s *Subscription) renewIn(d time.Duration) {
	if s.refresh != nil {
		s.refresh.Stop()
	}
	if s.state == "terminated" || s.opts.Expires == 0 {
		return
	}
	s.refresh = s.client.clock.AfterFunc(d, func() { s.client.spawn(s.renew) })
}

// ahead is when what lasts that long is renewed.
func ahead(lasts time.Duration) time.Duration { return max(lasts*4/5, lasts-30*time.Second) }

// renewTime bounds one attempt to renew something.
const renewTime = 32 * time.Second

// renew refreshes. A failure that does not end the subscription leaves it as it
// is until its time is up (section 4.1.2.2), so it is tried again.
func (s *Subscription) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	s.mu.Lock()
	expires := s.opts.Expires
	s.mu.Unlock()
	if expires == 0 {
		return
	}
	err := s.again(ctx, expires)
	if err == nil || ctx.Err() == context.Canceled {
		return
	}
	s.client.log.Warn("subscription not refreshed", "target", s.target.String(), "error", err)
	s.mu.Lock()
	left := s.until.Sub(s.client.clock.Now())
	if left > 0 {
		s.renewIn(min(left, max(5*time.Second, notBefore(err))))
	}
	s.mu.Unlock()
	if left <= 0 {
		s.over("timeout")
	}
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
	err := s.again(ctx, 0)
	if refusedWith(err, 481) { // it had ended: the NOTIFY that said so is still on its way, or lost
		return nil
	}
	return err
}

// ends are the responses to a refresh that end the subscription (RFC 6665
// section 4.1.2.2; RFC 5057 section 5.3).
var ends = []int{404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604}

// again sends a SUBSCRIBE within the dialog.
func (s *Subscription) again(ctx context.Context, expires time.Duration) error {
	res, err := s.send(ctx, message.SUBSCRIBE, s.complete(expires))
	var refused *RefusedError
	if errors.As(err, &refused) && slices.Contains(ends, refused.Status()) {
		s.over(refused.Response.Reason)
	}
	if err != nil {
		return err
	}
	s.answered(res)
	return nil
}

// over ends the subscription and says so, unless a NOTIFY did.
func (s *Subscription) over(reason string) {
	s.mu.Lock()
	was := s.state
	s.state, s.reason = "terminated", reason
	s.mu.Unlock()
	if s.client.forget(s) && was != "terminated" {
		tell, _ := s.read(nil) // nothing can be wrong with it
		tell("terminated", reason)
	}
}

// stop lets no timer wake any more.
func (s *Subscription) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range []clock.Timer{s.refresh, s.silence} {
		if t != nil {
			t.Stop()
		}
	}
}

// forget takes the subscription out; false if it was out already.
func (c *Client) forget(s *Subscription) bool {
	id := message.CallID(s.asked)
	c.mu.Lock()
	known := c.subs[id] == s
	if known {
		delete(c.subs, id)
	}
	c.mu.Unlock()
	if known {
		s.stop()
		close(s.ended)
	}
	return known
}

// Subscriptions are those that are not over, in no order.
func (c *Client) Subscriptions() []*Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Subscription
	for _, s := range c.subs {
		all = append(all, s)
	}
	return all
}
