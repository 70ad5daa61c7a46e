package server

import (
	"context"
	"os"
	"strings"

	"presfed/agents/internal/control"
	"presfed/agents/internal/wire"
)

// openControl opens the control socket, if one is asked for: whoever watches
// reads our wire records there.
func (s *Server) openControl() error {
	if s.cfg.Control == "" {
		return nil
	}
	journal := control.NewJournal(s.cfg.Name, 0)
	tap := s.cfg.Tap
	s.cfg.Tap = func(r wire.Record) {
		journal.Tap(r)
		if tap != nil {
			tap(r)
		}
	}
	s.stopped = make(chan struct{})
	var err error
	s.control, err = control.NewServer(control.Config{
		Path: s.cfg.Control, Journal: journal, Clock: s.cfg.Clock, Log: s.log,
		Stop: func() { s.stopOnce.Do(func() { close(s.stopped) }) },
	})
	return err
}

// runControl serves the socket until ctx ends; ask stops the server.
func (s *Server) runControl(ctx context.Context, ask context.CancelFunc) error {
	if s.control == nil {
		return nil
	}
	info := control.Info{Participant: s.cfg.Name, PID: os.Getpid()}
	for _, l := range s.endpoint.Listening() {
		info.Listen = append(info.Listen, control.Listen(l))
	}
	if at := s.XCAPAddr(); at.IsValid() {
		scheme, _, _ := strings.Cut(s.XCAPRoot(), ":")
		info.Listen = append(info.Listen, control.Listen{Transport: strings.ToUpper(scheme), Addr: at})
	}
	s.control.SetReady(info)
	go func() {
		select {
		case <-s.stopped:
			ask()
		case <-ctx.Done():
		}
	}()
	return s.control.Run(ctx)
}
