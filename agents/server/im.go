package server

import (
	"context"

	"presfed/agents/internal/im"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/db"
)

// where asks routing about the user that a request is for.
func (s *Server) where(ctx context.Context, req *message.Request, from im.Sender) (im.Where, error) {
	uri := req.Recipient
	aor, err := s.userOf(uri)
	if err != nil {
		return im.Where{}, &message.ParseError{Status: 404, Where: "Request-URI", What: err.Error()}
	}
	place, err := s.locate.Place(ctx, aor)
	if err != nil {
		return im.Where{}, err
	}
	targets, err := locate.Route(ctx, s.locate, locate.Question{
		Self: s.cfg.Name, Host: uri.Host, Port: uri.Port, User: aor, Method: req.Method, Peer: from.Peer, HandsOver: s.cfg.PublishToRoot,
	})
	if err != nil {
		return im.Where{}, err
	}
	domain, err := s.locate.Domain(ctx)
	return im.Where{User: aor, Model: place.Model, Targets: targets, Distributed: domain.PolicyMode == db.DistributedPolicy}, err
}

// mayTalk asks policy whether sender may reach user; 0 is yes.
func (s *Server) mayTalk(ctx context.Context, user, sender string) (status int, err error) {
	decision, err := s.policy.Decide(ctx, user, sender)
	return decision.IM(), err
}

// devices are the user's that take the method, and for instant messages those
// that can show them.
func (s *Server) devices(user, method string, messages bool) []im.Device {
	var out []im.Device
	for _, b := range s.registrar.Devices(user, method, messages) {
		out = append(out, im.Device{Contact: b.Contact.URI, Hop: b.Hop})
	}
	return out
}
