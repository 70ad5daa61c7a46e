package main

import (
	"time"

	"github.com/spf13/pflag"

	"presfed/agents/server"
)

// limitOptions bound what peers can make a server hold: docs/LIMITS.md.
type limitOptions struct{ server.Limits }

func (o *limitOptions) flags(f *pflag.FlagSet) {
	f.IntVar(&o.Connections, "max-connections", 20_000, "most TCP and TLS connections; fewer where the system allows fewer open files")
	f.IntVar(&o.AddressConnections, "max-connections-per-address", 10_000, "most connections accepted from one address, or one IPv6 network of 64 bits")
	f.DurationVar(&o.StrangerIdle, "stranger-timeout", 2*time.Minute, "how long a connection may be idle of which no request has been accepted yet")
	f.DurationVar(&o.Idle, "idle-timeout", 25*time.Hour, "how long any other client's connection may be idle")
	f.DurationVar(&o.Delay, "max-delay", 250*time.Millisecond, "how long requests may wait for this server before new ones are refused with 503")
	f.IntVar(&o.Subscriptions, "max-subscriptions", 5000, "most subscriptions of one watcher")
	f.IntVar(&o.Publications, "max-publications", 32, "most publications of one user")
	f.IntVar(&o.Contacts, "max-contacts", 32, "most registered contacts of one user")
	f.IntVar(&o.Invites, "max-invites", 100, "most INVITEs of one user that wait for their answer")
	f.IntVar(&o.Buddies, "max-buddies", 500, "most buddies that a subscription to a list shows")
}

// configure puts them into a server's configuration, where zero means a default.
func (o *limitOptions) configure(cfg *server.Config) error {
	for _, l := range []struct {
		flag string
		is   int
	}{
		{"max-connections", o.Connections}, {"max-connections-per-address", o.AddressConnections}, {"max-subscriptions", o.Subscriptions},
		{"max-publications", o.Publications}, {"max-contacts", o.Contacts}, {"max-invites", o.Invites}, {"max-buddies", o.Buddies},
	} {
		if l.is < 1 {
			return usage("as in --"+l.flag+" 100", "--%s %d: want 1 or more", l.flag, l.is)
		}
	}
	for _, l := range []struct {
		flag string
		is   time.Duration
		as   string
	}{{"stranger-timeout", o.StrangerIdle, "1m"}, {"idle-timeout", o.Idle, "1h"}, {"max-delay", o.Delay, "250ms"}} {
		if l.is <= 0 {
			return usage("as in --"+l.flag+" "+l.as, "--%s %s: want more than nothing", l.flag, l.is)
		}
	}
	cfg.Limits = o.Limits
	return nil
}
