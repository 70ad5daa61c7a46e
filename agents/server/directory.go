package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/locate"
	"presfed/db"
)

// openDirectory opens the directory and finds ourselves in it.
func (s *Server) openDirectory(ctx context.Context) error {
	var err error
	if s.directory, err = db.Open(ctx, s.cfg.Directory, db.Options{}); err != nil {
		return err
	}
	cfg := locate.Config{DB: s.directory, Clock: s.cfg.Clock, Log: s.log}
	if s.cfg.Synchronised {
		s.locate, err = locate.NewSynchronised(ctx, cfg)
	} else {
		s.locate, err = locate.NewConsult(ctx, cfg)
	}
	if err != nil {
		return err
	}
	if s.domain, err = s.locate.Domain(ctx); err != nil {
		return err
	}
	s.self, err = s.locate.Server(ctx, s.cfg.Name)
	if errors.Is(err, db.ErrNotFound) {
		return &InputError{
			What: fmt.Sprintf("the directory %s knows no server %q", s.cfg.Directory, s.cfg.Name),
			Hint: "add it to the directory, or name one that is there",
		}
	}
	if err != nil || len(s.cfg.Proves) == 0 || slices.ContainsFunc(s.cfg.Proves, func(name string) bool { return strings.EqualFold(name, s.self.Identity) }) {
		return err
	}
	return &InputError{
		What: fmt.Sprintf("the certificate proves %s, and the directory says that %s is %s: no peer would believe it",
			strings.Join(s.cfg.Proves, ", "), s.cfg.Name, s.self.Identity),
		Hint: fmt.Sprintf("presfed certs issue %s %s --replace, or presfed directory server set %s --identity NAME", s.cfg.Name, s.self.Identity, s.cfg.Name),
	}
}

// ha1 is the stored hash of a user, who may name herself with or without the
// domain.
func (s *Server) ha1(ctx context.Context, user string, alg auth.Algorithm) (string, error) {
	aor, err := db.ParseAOR(user, s.domain.Name)
	if err != nil {
		return "", nil // no such user, and nothing more is said about it
	}
	u, err := s.locate.User(ctx, aor)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return u.HA1[db.Algorithm(alg)], err
}
