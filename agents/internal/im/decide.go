package im

import (
	"context"
	"errors"
	"slices"

	"presfed/agents/internal/message"
	"presfed/agents/internal/proxy"
	"presfed/routing"
)

// decide is a request's way through: who is it for, may the sender, where to.
func (s *Service) decide(ctx context.Context, j job) {
	req := j.req.Message()
	where, err := s.cfg.Where(ctx, req, j.from)
	if err != nil {
		s.refuse(j, err)
		return
	}
	absent := false
	if asks(where) {
		status, err := s.cfg.Policy(ctx, where.User, j.from.User)
		if err != nil {
			s.refuse(j, err)
			return
		}
		switch absent = status == 480; {
		case absent:
			s.log.Info("blocked politely: the sender finds nobody", "call_id", message.CallID(req), "aor", where.User, "sender", j.from.User)
		case status != 0:
			s.log.Info("refused by policy", "call_id", message.CallID(req), "aor", where.User, "sender", j.from.User, "status", status)
			j.req.Refuse(status, "")
			return
		}
	}
	targets, err := s.targets(req, where, j.from, absent)
	if err != nil {
		s.refuse(j, err)
		return
	}
	// Without any: she is known, and no device of hers is there (480).
	j.req.Forward(targets...)
}

func (s *Service) refuse(j job, err error) {
	var refusal *routing.Refusal
	var malformed *message.ParseError
	var away *message.Unavailable
	var fields []string
	status := 500
	switch {
	case errors.As(err, &refusal):
		status = refusal.Status
		s.log.Info("refused", "call_id", message.CallID(j.req.Message()), "status", status, "why", refusal.Reason)
	case errors.As(err, &malformed):
		status = malformed.Status
	case errors.As(err, &away):
		status, fields = 503, away.Fields()
		s.log.Warn("refused: what it depends on is away", "call_id", message.CallID(j.req.Message()), "error", err)
	default:
		s.log.Error("request failed", "call_id", message.CallID(j.req.Message()), "error", err)
	}
	j.req.Refuse(status, "", fields...)
}

// asks says that this server has to ask her policy, since it answers for the
// whole user: her devices are here in the domain's name, or we ask the servers
// of a union for their shares. A server that passes on leaves the question to
// the one that answers, and so does one that is asked for its own share, unless
// policy is distributed.
func asks(w Where) bool {
	return slices.ContainsFunc(w.Targets, func(t routing.Target) bool {
		switch t.Kind {
		case routing.Devices:
			return t.Form == routing.DomainForm || w.Distributed
		case routing.ToPeer:
			return w.Model.Unioned() && t.Form == routing.ServerForm
		}
		return false
	})
}

// targets turns routing's answer into branches, devices first. One who is to look
// absent is looked for as anybody is, so that the answer takes as long, and has no
// device anywhere.
func (s *Service) targets(req *message.Request, w Where, from Sender, absent bool) ([]proxy.Target, error) {
	var devices, peers []proxy.Target
	for _, t := range w.Targets {
		switch t.Kind {
		case routing.Devices:
			for _, d := range s.cfg.Devices(w.User, req.Method, carriesIM(req)) {
				if absent {
					break
				}
				devices = append(devices, proxy.Target{
					URI: d.Contact, Route: d.Path, Hop: d.Hop, User: w.User,
					Edit: func(copy *message.Request) { s.Vouch(copy, from, false) },
				})
			}
		case routing.ToPeer:
			target, err := toPeer(req, t)
			if err != nil {
				return nil, err
			}
			target.Absent = absent
			target.Edit = func(copy *message.Request) { s.Vouch(copy, from, true) }
			peers = append(peers, target)
		}
	}
	return append(devices, peers...), nil
}

// toPeer writes the Request-URI in the form that routing chose, and a Route
// where it asks for one.
func toPeer(req *message.Request, t routing.Target) (proxy.Target, error) {
	uri := message.URI{Scheme: req.Recipient.Scheme, User: req.Recipient.User, Host: t.Host}
	target := proxy.Target{URI: uri}
	if t.Route {
		hop, err := message.ParseURI("sip:" + t.RouteHost + ";lr")
		if err != nil {
			return target, err
		}
		target.Route = []string{"<" + hop.String() + ">"}
	}
	return target, nil
}
