package server

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run serves until ctx ends: then the sockets close, what was accepted is still
// committed, and the state is left as it was acknowledged.
func (s *Server) Run(ctx context.Context) error {
	ctx, ask := context.WithCancel(ctx)
	defer ask()
	committing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	committer, _ := errgroup.WithContext(committing)
	committer.Go(func() error { return s.store.Run(committing) })
	committer.Go(func() error { return s.runControl(committing, ask) }) // last to end: it shows how we end

	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return s.locate.Run(ctx) })
	serving.Go(func() error { return s.im.Run(ctx) })
	serving.Go(func() error { return s.endpoint.Run(ctx) })
	serving.Go(func() error { return s.runAdmin(ctx) })
	serving.Go(func() error { return s.runXCAP(ctx) })
	serving.Go(func() error { s.purge(ctx); return nil })
	s.backend.Restore(s.shares) // first, so that what is needed is taken for what was held
	s.shares = nil
	for _, aor := range s.known() { // the directory may have changed while we were away
		s.hold(aor)
	}
	s.notifier.Start()
	s.winfo.Start()
	err := serving.Wait()
	s.lanes.Close()
	s.notifier.Close()
	s.backend.Close()
	s.lists.Close()
	s.winfo.Close()
	s.subscriber.Close()
	s.presence.Close()
	stop()
	return errors.Join(err, committer.Wait())
}

// purge forgets expired bindings now and then; until then they are not shown.
func (s *Server) purge(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			s.registrar.Purge()
		case <-ctx.Done():
			return
		}
	}
}
