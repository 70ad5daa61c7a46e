package server

import (
	"cmp"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/sip"
)

// Limits bound what peers can make a server hold. Zero fields: the default that
// docs/LIMITS.md tells, with what the answer is beyond each.
type Limits struct {
	Connections        int           // of TCP and TLS
	AddressConnections int           // accepted from one address, or one IPv6 network of 64 bits
	StrangerIdle       time.Duration // of a connection that was of no use yet
	Idle               time.Duration // of any other client's
	Delay              time.Duration // of answers, above which new requests are refused
	Subscriptions      int           // of one watcher
	Publications       int           // of one user
	Contacts           int           // of one user
	Invites            int           // of one user, that are not answered yet
	Buddies            int           // on one list; the others are left out
}

func (l Limits) endpoint(connect time.Duration) sip.Limits {
	return sip.Limits{
		Connections: l.Connections, Address: l.AddressConnections, StrangerIdle: l.StrangerIdle, Idle: l.Idle,
		Delay: l.Delay, ConnectTimeout: connect,
	}
}

// notifier's are those of watchers. A long list has many of one watcher, and a killed
// server has left as many here.
func (l Limits) notifier() event.Limits {
	return event.Limits{Watcher: cmp.Or(l.Subscriptions, 5000)}
}
