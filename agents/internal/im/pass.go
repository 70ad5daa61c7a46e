package im

import (
	"presfed/agents/internal/sip"
	"presfed/routing"
)

// Pass sends a request on to the server that routing chose, with the sender
// asserted: for requests that another service has decided about.
func (s *Service) Pass(tx *sip.ServerTx, from Sender, t routing.Target) {
	r := s.cfg.Proxy.Begin(tx, from.origin())
	if r == nil {
		return
	}
	targets, err := s.targets(r.Message(), Where{Targets: []routing.Target{t}}, from, false)
	if err != nil {
		s.refuse(job{tx, r, from}, err)
		return
	}
	r.Forward(targets...)
}
