package main

import (
	"time"

	"github.com/spf13/pflag"

	"presfed/agents/server"
)

// sharingOptions are how a server goes about publications, and about users whom
// it shares with others.
type sharingOptions struct {
	firstNotify, grace, lasts, shortest time.Duration
	toRoot                              bool
}

func (o *sharingOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.firstNotify, "first-notify", time.Second, "how long a first NOTIFY waits for what other servers hold of a user")
	f.DurationVar(&o.grace, "share-grace", 30*time.Second, "how long what another server holds stays in view when it cannot be reached")
	f.DurationVar(&o.lasts, "share-expires", 5*time.Minute, "how long a subscription at another server lasts, and a silent death goes unnoticed; at least 10s")
	f.DurationVar(&o.shortest, "min-expires", time.Minute, "the shortest `duration` that a publication is taken for")
	f.BoolVar(&o.toRoot, "publish-to-root", false, "pass publications on to a user's root, instead of keeping them here as a share")
}

// configure puts them into a server's configuration, where zero means a default.
func (o *sharingOptions) configure(cfg *server.Config) error {
	for _, d := range []struct {
		flag string
		is   time.Duration
	}{
		{"peer-retry", cfg.PeerRetry}, {"keep-alive", cfg.KeepAlive}, {"first-notify", o.firstNotify}, {"share-grace", o.grace},
		{"share-expires", o.lasts}, {"min-expires", o.shortest},
	} {
		if d.is == 0 {
			return usage("as in --"+d.flag+" 5s", "--%s %s: want more than nothing", d.flag, d.is)
		}
	}
	cfg.FirstNotify, cfg.ShareGrace, cfg.ShareExpires = o.firstNotify, o.grace, o.lasts
	cfg.MinExpires, cfg.PublishToRoot = o.shortest, o.toRoot
	return nil
}
