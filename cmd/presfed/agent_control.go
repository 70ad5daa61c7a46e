package main

import (
	"context"
	"errors"

	"presfed/agents/client"
)

// agentControl is an agent's control socket; a nil one is none.
type agentControl struct{ socket *client.Control }

// steered takes the control socket, if one is wanted, and has cfg record.
// leave ends the agent.
func (a *agent) steered(cfg *client.Config, leave func()) (*agentControl, error) {
	if a.opts.control == "" {
		return nil, nil
	}
	socket, err := client.NewControl(client.ControlConfig{
		Path: a.opts.control, Name: a.opts.name, Log: cfg.Log, Stop: leave,
		Command: func(ctx context.Context, line string) (any, error) {
			err := a.do(ctx, line)
			if errors.Is(err, errQuit) {
				leave()
				err = nil
			}
			return struct {
				OK bool `json:"ok"`
			}{err == nil}, err
		},
	})
	if err != nil {
		return nil, fail(exitUsage, err, "")
	}
	cfg.Tap = socket.Tap
	return &agentControl{socket}, nil
}

func (c *agentControl) ready(d *client.Client) {
	if c != nil {
		c.socket.Ready(d)
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
