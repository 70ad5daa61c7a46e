// Package event is subscriptions to state and the notifications that carry it,
// at both ends (RFC 6665).
//
// It knows an event package by its name, its body provider and its times only.
// A Notifier answers SUBSCRIBE and keeps each watcher told: one NOTIFY in
// flight, the newest state after it. A Subscriber holds subscriptions at others.
//
// Everything that concerns one resource happens in its lane, one job after
// another: a job computes, waits for its commit, changes memory, answers, and
// notifies. What a Package's functions are called with belongs to that lane.
package event
