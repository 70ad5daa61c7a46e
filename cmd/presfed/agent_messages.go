package main

import (
	"context"
	"fmt"

	"presfed/agents/client"
)

// say sends text in a session, in an envelope if one is wanted.
func say(ctx context.Context, s *client.Session, envelope client.Envelope, text string) error {
	if !envelope.Needed() {
		return s.Send(ctx, text)
	}
	_, err := s.SendWrapped(ctx, "text/plain", []byte(text), envelope)
	return err
}

func (a *agent) page(ctx context.Context, args []string) error {
	_, err := a.device.PageWith(ctx, args[0], "text/plain", []byte(args[1]), client.PageOptions{Envelope: a.envelope})
	return err
}

func (a *agent) composing(_ context.Context, args []string) error { return a.device.Composing(args[0]) }

func (a *agent) displayed(_ context.Context, args []string) error {
	n, err := a.device.Displayed(args[0])
	if err == nil && n == 0 {
		err = fmt.Errorf("no message of %s waits for that", args[0])
	}
	return err
}
