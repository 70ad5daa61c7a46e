// Package model holds servers against a naive reference: random sequences of
// what users, operators and accidents do, over sockets and with real processes.
// After each quiescence every watcher's last document is what the raw
// publications make. It has no code beside its tests.
package model
