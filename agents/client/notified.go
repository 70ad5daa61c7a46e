package client

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
)

// notified takes a NOTIFY (RFC 6665 section 4.1.3).
func (c *Client) notified(req *message.Request, reply func(int, ...string)) {
	c.mu.Lock()
	s := c.subs[message.CallID(req)]
	c.mu.Unlock()
	id, err := dialog.IDOf(req)
	if err != nil || s == nil || id.Local != s.localTag() {
		reply(481)
		return
	}
	event, _, _ := strings.Cut(message.Get(req, "Event"), ";")
	if !strings.EqualFold(strings.TrimSpace(event), s.opts.Event) {
		reply(489, "Allow-Events", s.opts.Event)
		return
	}
	state, params, err := subscriptionState(req)
	var tell func(state, reason string)
	if err == nil {
		tell, err = s.read(req)
	}
	if err == nil {
		err = s.take(req, id.Remote, state, params)
	}
	var malformed *message.ParseError
	switch {
	case errors.As(err, &malformed):
		reply(malformed.Status)
		return
	case err != nil:
		reply(500)
		return
	}
	reply(200)
	reason, _ := params.Get("reason")
	tell(state, reason)
	if state == "terminated" {
		s.mu.Lock()
		s.retry = retryAfter(params)
		s.mu.Unlock()
		s.over(reason)
	}
}

// read reads what a NOTIFY says beside the state, and gives what tells both; nil is
// none.
func (s *Subscription) read(req *message.Request) (tell func(state, reason string), err error) {
	if req != nil && len(req.Body()) == 0 {
		req = nil
	}
	switch {
	case s.opts.List:
		l, err := listed(req)
		return func(state, reason string) { s.tellList(l, state, reason) }, err
	case s.ofWatchers():
		d, err := watched(req)
		return func(state, reason string) { s.tellWatchers(d, state, reason) }, err
	}
	return func(state, reason string) { s.tell(req, state, reason) }, nil
}

// tell tells what a NOTIFY of a single resource says.
func (s *Subscription) tell(req *message.Request, state, reason string) {
	e := Event{Type: "presence", Entity: s.entity(), State: state, Reason: reason}
	if req != nil {
		e.ContentType, e.Body = message.Get(req, "Content-Type"), string(req.Body())
		e.readPresence(req.Body())
	}
	s.client.emit(e)
}

func (s *Subscription) localTag() string {
	from, err := message.From(s.asked)
	if err != nil {
		return ""
	}
	return from.Tag()
}

// take brings a NOTIFY into the subscription. The first one makes its dialog,
// whatever the 2xx said (section 4.4.1); another fork of our SUBSCRIBE is
// refused, for one subscription is enough.
func (s *Subscription) take(req *message.Request, remote, state string, params message.Params) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.byNotify:
		d, err := dialog.ByNotify(s.asked, req)
		if err != nil {
			return err
		}
		if s.d != nil {
			d.LocalSeq = max(d.LocalSeq, s.d.LocalSeq)
		}
		s.d, s.byNotify = d, true
	case remote != s.d.Remote:
		return &message.ParseError{Status: 481, Where: "From", What: "another fork of the SUBSCRIBE"}
	default:
		if err := s.d.Receive(req); err != nil {
			return err
		}
	}
	s.state = state
	if s.silence != nil {
		s.silence.Stop()
	}
	if s.opts.Expires == 0 && state != "terminated" {
		s.expect() // the last one is still to come
	}
	if v, ok := params.Get("expires"); ok {
		if n, err := strconv.ParseUint(v, 10, 32); err == nil && n > 0 {
			s.schedule(time.Duration(n) * time.Second)
		}
	}
	return nil
}

func subscriptionState(req *message.Request) (state string, params message.Params, err error) {
	v := message.Get(req, "Subscription-State")
	state, rest, found := strings.Cut(v, ";")
	state = strings.ToLower(strings.TrimSpace(state))
	if state == "" || strings.ContainsFunc(state, notInToken) {
		return "", nil, &message.ParseError{Status: 400, Where: "Subscription-State", What: "want a word first"}
	}
	if found {
		params, err = message.ParseParams(";" + rest)
	}
	return state, params, err
}

// notInToken is what a token does not hold (RFC 3261 section 25.1).
func notInToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}
