package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
)

// writer is bob, and what he knows to be acknowledged.
type writer struct {
	t      *testing.T
	client *client.Client
	rng    *rand.Rand

	etag   string
	tuple  string         // of the publication that goes on
	count  int            // acknowledged in it
	next   int            // counts what was ever sent
	tuples map[string]int // what each publication shows

	bound []bool // what the registration may be
	open  string // what was sent and not answered: "", "modify", "refresh", "register"
	acked time.Time
}

func (w *writer) document(n int) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.com">
<tuple id=%q><status><basic>open</basic></status><contact>sip:n%d@example.com</contact></tuple>
</presence>
`, w.tuple, n)
}

func (w *writer) publish(ctx context.Context, p client.Publication) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.Expires = time.Hour
	etag, _, err := w.client.Publish(ctx, p)
	if err == nil {
		w.etag, w.open, w.acked = etag, "", time.Now()
	}
	return err
}

// create begins a publication with a tuple of its own.
func (w *writer) create(ctx context.Context) {
	w.next++
	w.tuple = fmt.Sprint("p", w.next)
	if err := w.publish(ctx, client.Publication{Body: w.document(w.next)}); err != nil {
		w.t.Fatalf("first publication: %v", err)
	}
	w.count, w.tuples[w.tuple] = w.next, w.next
}

func (w *writer) modify(ctx context.Context) error {
	w.next++
	w.open = "modify"
	err := w.publish(ctx, client.Publication{ETag: w.etag, Body: w.document(w.next)})
	if err == nil {
		w.count, w.tuples[w.tuple] = w.next, w.next
	}
	return err
}

func (w *writer) refresh(ctx context.Context) error {
	w.open = "refresh"
	return w.publish(ctx, client.Publication{ETag: w.etag})
}

func (w *writer) register(ctx context.Context, bind bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := w.bound
	w.open, w.bound = "register", append([]bool{bind}, before...)
	lasts := time.Duration(0)
	if bind {
		lasts = time.Hour
	}
	_, err := w.client.Register(ctx, lasts)
	if err == nil {
		w.open, w.bound = "", []bool{bind}
	}
	return err
}

// load sends one request after the other until the server is gone: killed at
// any time, or right when something has been acknowledged.
func (w *writer) load(ctx context.Context, server *process) (moment string) {
	w.t.Helper()
	acks := 1 + w.rng.IntN(12)
	after := time.Duration(w.rng.IntN(50_000)) * time.Microsecond
	var gone sync.WaitGroup
	defer gone.Wait()
	if atAck := w.rng.IntN(2) == 0; atAck {
		moment = fmt.Sprintf("at acknowledgement %d", acks)
	} else {
		moment, acks = fmt.Sprintf("after %s", after), -1
		gone.Go(func() {
			time.Sleep(after) // the moment is what is tried, nothing waits by it
			server.kill()
		})
	}
	for n := 0; n != acks; n++ {
		var err error
		switch kind := w.rng.IntN(8); {
		case kind == 0 || n+1 == acks && kind < 4: // often the last before the kill
			err = w.register(ctx, !w.bound[0])
		case kind < 3:
			err = w.refresh(ctx)
		default:
			err = w.modify(ctx)
		}
		var refused *client.RefusedError
		if errors.As(err, &refused) || err != nil && !errors.Is(err, client.ErrTransport) {
			w.t.Fatalf("%s (%s of the kill): %v", moment, w.open, err)
		}
		if err != nil {
			return moment
		}
	}
	server.kill()
	return moment
}

// recover goes on with the last entity-tag there is. A 412 is right only where
// what was sent last, and never answered, had taken its place.
func (w *writer) recover(ctx context.Context) {
	w.t.Helper()
	open, sent := w.open, w.next
	var err error
	if w.rng.IntN(2) == 0 {
		err = w.refresh(ctx)
	} else {
		err = w.modify(ctx)
	}
	var refused *client.RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status() == 412 && (open == "modify" || open == "refresh"):
		if open == "modify" { // then that is the state now
			w.tuples[w.tuple] = sent
		}
		w.t.Logf("the open %s was committed", open)
		w.create(ctx)
	default:
		w.t.Fatalf("publication %d was acknowledged %s before, its entity-tag now gets (open: %q): %v", w.count, time.Since(w.acked), open, err)
	}
}

// reached pages bob, who hears it if and only if he is registered.
func (w *writer) reached(ctx context.Context, from *client.Client, paged <-chan string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text := fmt.Sprint("after ", w.count)
	err := from.Page(ctx, "bob", "text/plain", []byte(text))
	there := err == nil
	var refused *client.RefusedError
	if err != nil && (!errors.As(err, &refused) || refused.Status() != 480 && refused.Status() != 404) {
		w.t.Fatalf("message to bob, whose registration may be %v: %v", w.bound, err)
	}
	if there {
		select {
		case got := <-paged:
			if got != text {
				w.t.Fatalf("bob heard %q, want %q", got, text)
			}
		case <-ctx.Done():
			w.t.Fatalf("a message to bob was answered 200, and he did not hear it")
		}
	}
	if !slices.Contains(w.bound, there) {
		w.t.Fatalf("bob is registered: %t, want %v (%v)", there, w.bound, err)
	}
	w.bound = []bool{there}
}
