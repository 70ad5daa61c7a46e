package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"presfed/agents/bed"
	"presfed/agents/flow"
	"presfed/agents/trace"
	"presfed/routing"
)

// stages are the beds that flows run on, one for each model. They stand beside
// each other until all of them go down: what a bed's devices say as they leave
// comes after every flow.
type stages struct {
	options bed.Options
	keep    string // the folder of their folders; empty: none stays
	timeout time.Duration
	up      []stage
}

type stage struct {
	model  routing.Model
	bed    *bed.Processes
	runner *flow.Runner
}

// runner is that of the bed of a model, which is built when it is asked for.
func (s *stages) runner(ctx context.Context, model routing.Model) (*flow.Runner, error) {
	for _, u := range s.up {
		if u.model == model {
			return u.runner, nil
		}
	}
	options := s.options
	options.Model = model
	if s.keep != "" {
		options.Dir = filepath.Join(s.keep, string(model))
	}
	b, err := bed.Start(ctx, bed.ProcessOptions{Options: options})
	if err != nil {
		return nil, err
	}
	r := flow.NewRunner(b, flow.Settings{Timeout: s.timeout})
	s.up = append(s.up, stage{model, b, r})
	return r, nil
}

func (s *stages) records() (all []trace.Record) {
	for _, u := range s.up {
		records, _ := u.bed.Records()
		all = append(all, records...)
	}
	return all
}

func (s *stages) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var errs []error
	for _, u := range s.up {
		errs = append(errs, u.bed.Down(ctx))
	}
	return errors.Join(errs...)
}
