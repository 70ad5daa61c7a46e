package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"presfed/agents/client"
)

// eventQueue is what has happened since the last wait.
type eventQueue struct {
	mu     sync.Mutex
	events []client.Event
	more   chan struct{} // holds a token when something was added
}

// maxEvents bounds the events kept; the oldest go.
const maxEvents = 10_000

func newEventQueue() *eventQueue { return &eventQueue{more: make(chan struct{}, 1)} }

func (q *eventQueue) add(e client.Event) {
	q.mu.Lock()
	if len(q.events) == maxEvents {
		q.events = slices.Delete(q.events, 0, maxEvents/10)
	}
	q.events = append(q.events, e)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take drops events up to the first that match wants; without one it drops
// none.
func (q *eventQueue) take(match func(client.Event) bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.events, match)
	if i >= 0 {
		q.events = slices.Delete(q.events, 0, i+1)
	}
	return i >= 0
}

// eventTypes are the events of an agent.
var eventTypes = []string{"ready", "registered", "published", "presence", "buddies", "watcher", "watchers", "im", "composing", "notice", "file", "session", "sent", "failed", "closed"}

// expectation is what a wait wants to see.
type expectation struct {
	event  string
	fields []struct{ key, value string }
	within time.Duration
}

// parseWait reads "EVENT [KEY=VALUE...] [TIMEOUT]"; a value with blanks stands
// in double quotes.
func parseWait(line string) (expectation, error) {
	want := expectation{within: 10 * time.Second}
	words, err := quotedWords(line)
	if err != nil {
		return want, err
	}
	want.event = words[0]
	if !slices.Contains(eventTypes, want.event) {
		return want, fmt.Errorf("%q is no event: want %s", want.event, strings.Join(eventTypes, ", "))
	}
	for i, word := range words[1:] {
		key, value, pair := strings.Cut(word, "=")
		if pair && key != "" {
			want.fields = append(want.fields, struct{ key, value string }{key, value})
			continue
		}
		d, err := time.ParseDuration(word)
		if err != nil || i != len(words)-2 {
			return want, fmt.Errorf("%q: want KEY=VALUE, or at the end a time such as 5s", word)
		}
		want.within = d
	}
	return want, nil
}

func quotedWords(s string) (words []string, err error) {
	var word strings.Builder
	begun, quoted := false, false
	for _, r := range s {
		switch {
		case r == '"':
			begun, quoted = true, !quoted
		case r == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed in %s", s)
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no event is named")
	}
	return words, nil
}

// matches says whether an event is what is waited for.
func (want expectation) matches(e client.Event) bool {
	if e.Type != want.event {
		return false
	}
	for _, f := range want.fields {
		if !saysField(e, f.key, f.value) {
			return false
		}
	}
	return true
}

// saysField: one field of the event has a value.
func saysField(e client.Event, key, value string) bool {
	switch key {
	case "person":
		return e.Person != nil && slices.Contains(e.Person.Activities, value)
	case "note":
		return e.Person != nil && e.Person.Note == value
	case "basic":
		is := func(t client.Tuple) bool { return t.Basic == value }
		if value == "closed" {
			return len(e.Tuples) > 0 && !slices.ContainsFunc(e.Tuples, func(t client.Tuple) bool { return !is(t) })
		}
		return slices.ContainsFunc(e.Tuples, is)
	case "entity":
		return e.Entity != "" && sameUser(e.Entity, value)
	case "from":
		return e.From != "" && sameUser(e.From, value)
	case "peer":
		return e.Peer != "" && sameUser(e.Peer, value)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return false
	}
	var fields map[string]any
	if json.Unmarshal(raw, &fields) != nil {
		return false
	}
	got, ok := fields[key]
	return ok && fmt.Sprint(got) == value
}

// wait goes on when an event comes, or has come since the last wait; else the
// run fails.
func (a *agent) wait(ctx context.Context, args []string) error {
	want, err := parseWait(strings.Join(args, " "))
	if err != nil {
		return err
	}
	over := time.NewTimer(want.within)
	defer over.Stop()
	for {
		if a.events.take(want.matches) {
			return nil
		}
		select {
		case <-a.events.more:
		case <-over.C:
			return fail(exitVerdict, fmt.Errorf("%s: it did not happen within %s", strings.Join(args, " "), want.within), "")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
