package main

import (
	"context"
	"errors"

	"presfed/agents/client"
)

// agentControl is the control socket of an agent or a feeder; a nil one is none.
type agentControl struct{ socket *client.Control }

// steered takes the control socket, if one is wanted, and has cfg record.
// leave ends the agent.
func (a *agent) steered(cfg *client.Config, leave func()) (*agentControl, error) {
	c, err := newAgentControl(client.ControlConfig{Path: a.opts.control, Name: a.opts.name, Log: cfg.Log, Stop: leave}, a.do)
	if c != nil {
		cfg.Tap = c.socket.Tap
	}
	return c, err
}

// newAgentControl takes a control socket whose commands do does; errQuit of it
// stops as cfg has it.
func newAgentControl(cfg client.ControlConfig, do func(ctx context.Context, line string) error) (*agentControl, error) {
	if cfg.Path == "" {
		return nil, nil
	}
	leave := cfg.Stop
	cfg.Command = func(ctx context.Context, line string) (any, error) {
		err := do(ctx, line)
		if errors.Is(err, errQuit) {
			leave()
			err = nil
		}
		return struct {
			OK bool `json:"ok"`
		}{err == nil}, err
	}
	socket, err := client.NewControl(cfg)
	if err != nil {
		return nil, fail(exitUsage, err, "")
	}
	return &agentControl{socket}, nil
}

func (c *agentControl) ready(devices ...*client.Client) {
	if c != nil {
		c.socket.Ready(devices...)
	}
}

func (c *agentControl) close() error {
	if c == nil {
		return nil
	}
	return c.socket.Close()
}

// run serves the socket; seen ends it, once all that is to be seen has been.
func (c *agentControl) run() (seen func() error) {
	if c == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.socket.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
