package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
	left    []stage // those that have gone down before
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
		if n := s.before(model); n > 0 {
			options.Dir += fmt.Sprintf("-%d", n+1)
		}
	}
	b, err := bed.Start(ctx, bed.ProcessOptions{Options: options})
	if err != nil {
		return nil, err
	}
	r := flow.NewRunner(b, flow.Settings{Timeout: s.timeout})
	s.up = append(s.up, stage{model, b, r})
	return r, nil
}

// retire takes the bed of a model down, on which a flow has not come to rest: the
// next flow has one that knows nothing of it.
func (s *stages) retire(ctx context.Context, model routing.Model) error {
	i := slices.IndexFunc(s.up, func(u stage) bool { return u.model == model })
	if i < 0 {
		return nil
	}
	u := s.up[i]
	s.up, s.left = slices.Delete(s.up, i, i+1), append(s.left, u)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return u.bed.Down(ctx)
}

// before counts the beds of a model that have gone down.
func (s *stages) before(model routing.Model) (n int) {
	for _, u := range s.left {
		if u.model == model {
			n++
		}
	}
	return n
}

func (s *stages) records() (all []trace.Record) {
	for _, u := range slices.Concat(s.left, s.up) {
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
