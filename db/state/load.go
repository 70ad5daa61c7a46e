package state

import (
	"context"
	"fmt"
)

// Snapshot is all that a Store holds, expired or not: the rooms that own the
// records know what their end means.
type Snapshot struct {
	Publications  []Publication  // by resource, then by age
	Subscriptions []Subscription // by resource, both halves
	Bindings      []Binding      // by address of record, then by age
	Asking        []Asking       // by presentity, then by age
}

// Load reads everything. It shares the one connection with Run, so call it
// before.
func (s *Store) Load(ctx context.Context) (snap Snapshot, err error) {
	if snap.Publications, err = s.loadPublications(ctx); err != nil {
		return snap, fmt.Errorf("publications: %w", err)
	}
	if snap.Subscriptions, err = s.loadSubscriptions(ctx); err != nil {
		return snap, fmt.Errorf("subscriptions: %w", err)
	}
	if snap.Bindings, err = s.loadBindings(ctx); err != nil {
		return snap, fmt.Errorf("bindings: %w", err)
	}
	if snap.Asking, err = s.loadAsking(ctx); err != nil {
		return snap, fmt.Errorf("watchers without a decision: %w", err)
	}
	return snap, nil
}
