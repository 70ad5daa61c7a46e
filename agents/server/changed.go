package server

import (
	"context"
	"errors"
	"slices"
	"strings"

	"presfed/agents/internal/eventlist"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/presence"
	"presfed/db"
	"presfed/routing"
)

// directoryChanged has a change act at once: on those who watch, and on whom the
// directory has removed or placed elsewhere.
func (s *Server) directoryChanged(c locate.Changed) {
	if d, err := s.locate.Domain(context.Background()); err != nil || d.Name != s.domain.Name {
		s.log.Error("the directory is another domain's: nothing here changes until it is ours again", "domain", d.Name, "ours", s.domain.Name, "error", err)
		return
	}
	users := append(slices.Clone(c.Users), c.Places...)
	if c.All {
		users = s.known()
	}
	slices.Sort(users)
	if len(users) > 0 {
		s.backend.Changed()
	}
	for _, aor := range slices.Compact(users) {
		s.hold(aor)
	}
	s.listsChanged(c.All, c.Buddies, c.Places, append(slices.Clone(c.Policy), users...))
	if c.All || c.Domain { // the domain's default or mode may have changed, for anybody
		resources := append(s.notifier.Resources(), s.presence.Presentities()...)
		resources = append(resources, s.winfo.Presentities()...) // also of those whom nobody watches yet
		slices.Sort(resources)
		for _, resource := range slices.Compact(resources) {
			if _, list := eventlist.OwnerOf(resource); list {
				continue // its members' servers see to that
			}
			s.presence.Placed(resource)
			s.presence.PolicyChanged(resource)
			s.winfo.PolicyChanged(resource)
		}
		s.lists.Reconsidered()
		return
	}
	for _, aor := range c.Policy {
		s.presence.PolicyChanged(scheme + aor)
		s.winfo.PolicyChanged(scheme + aor)
	}
}

// known are the users of whom something is kept here: bindings, publications,
// subscriptions to them and by them. A name may come more than once.
func (s *Server) known() []string {
	aors := s.registrar.Users()
	for _, uris := range [][]string{s.presence.Presentities(), s.backend.Presentities(), s.notifier.Resources(), s.notifier.Watchers(), s.winfo.Presentities(), s.winfo.Watchers()} {
		for _, uri := range uris {
			aor, _, _ := strings.Cut(strings.TrimPrefix(uri, scheme), ";") // a list is its owner's
			aors = append(aors, aor)
		}
	}
	return aors
}

// hold keeps what is here of a user as long as the directory has her served
// here, and lets go of it where it says otherwise (RFC 6665 section 4.1.3): moved,
// her watchers are to find her anew; removed, whoever gets her name next inherits
// nothing. Where it does not say, or places her nowhere, everything stays.
func (s *Server) hold(aor string) {
	ctx := context.Background()
	_, err := s.locate.User(ctx, aor)
	if errors.Is(err, db.ErrNotFound) {
		s.forget(aor, "noresource")
		s.notifier.Dismiss(scheme + aor)
		s.winfo.Dismiss(scheme + aor)
		return
	}
	place, placeErr := s.locate.Place(ctx, aor)
	if err = errors.Join(err, placeErr); err != nil {
		s.log.Warn("the directory does not say where a user is: what is here of her stays", "aor", aor, "error", err)
		return
	}
	if len(place.Servers) == 0 {
		return
	}
	serves, composes := place.Serves(s.cfg.Name), s.composes(place)
	switch {
	case !serves && !composes:
		s.forget(aor, "deactivated")
	case !serves: // we only act as root for her: what is ours of her goes
		s.registrar.Forget(aor)
		s.lists.Forget(scheme+aor, "deactivated")
		if !(s.cfg.PublishToRoot && place.Model == routing.Hierarchical) { // else it was handed over to us
			s.presence.Drop(scheme+aor, presence.Own)
		}
	case !composes: // her whole is to be had elsewhere now
		s.presence.Refer(scheme+aor, nil)
		s.winfo.Refer(scheme + aor)
		s.winfo.Forget(scheme+aor, "deactivated")
	}
	if place.Model == routing.Peer { // each watcher's own server shows her
		s.presence.Refer(scheme+aor, func(peer string) bool {
			_, err := s.locate.Server(ctx, peer)
			return err == nil && peer != s.cfg.Name
		})
	}
	s.presence.Withhold(scheme+aor, func(peer string) bool {
		why, err := s.showsShare(ctx, peer, aor, s.self.Identity, 0)
		return why != "" || err != nil // it does not say
	})
	s.presence.Placed(scheme + aor)
	s.winfo.Placed(scheme + aor)
}

// forget ends the subscriptions to a user for a reason of RFC 6665 section 4.1.3;
// what she published and registered goes.
func (s *Server) forget(aor, reason string) {
	s.presence.Forget(scheme+aor, reason)
	s.winfo.Forget(scheme+aor, reason)
	s.lists.Forget(scheme+aor, reason)
	s.registrar.Forget(aor)
}
