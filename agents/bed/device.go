package bed

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"presfed/agents/client"
	"presfed/agents/flow"
)

// device is one that runs, and what it has heard. It is a [flow.Actor].
type device struct {
	name   string
	domain string
	client *client.Client
	used   atomic.Bool

	mu      sync.Mutex
	heard   chan struct{} // closed at the next event
	watched map[string]*watched
	shown   map[string]bool // users whose first message has come, before an answer
}

type watched struct {
	subscription *client.Subscription
	document     bool // one has come
	over         bool
}

func (b *Bed) startDevice(run context.Context, at Device) error {
	d := &device{name: at.Name, domain: b.options.Topology.Domain, heard: make(chan struct{}), watched: map[string]*watched{}, shown: map[string]bool{}}
	cfg, err := b.deviceConfig(at)
	if err != nil {
		return err
	}
	cfg.OnEvent = d.hear
	if cfg.Answer, err = at.answer(); err != nil {
		return err
	}
	if d.client, err = client.New(cfg); err != nil {
		return err
	}
	b.clients[at.Name], b.devices[at.Name] = d.client, d
	b.runDevices.Go(func() error { return d.client.Run(run) })
	return nil
}

// deviceConfig is what devices and feeders have in common.
func (b *Bed) deviceConfig(at Device) (client.Config, error) {
	t := &b.options.Topology
	here, media := b.options.addr(at.At, portSIP), b.options.addr(at.At, portMSRP)
	server, err := b.front(t.home(at))
	user, _ := t.user(at.User)
	return client.Config{
		Name: at.Name, User: t.aor(at.User), Password: user.Password, Server: "tcp:" + server.String(),
		Bind: here.Addr(), Port: here.Port(), MSRPPort: media.Port(), Capabilities: at.Capabilities,
		Tap: b.recorder.tap, Clock: b.options.Clock, Log: b.options.Log.With("participant", at.Name),
	}, err
}

// Actor is the device of that name.
func (b *Bed) Actor(name string) (flow.Actor, error) {
	d := b.devices[name]
	if d == nil {
		return nil, fmt.Errorf("no device is called %s", name)
	}
	d.used.Store(true)
	return d, nil
}

// hear wakes whoever waits.
func (d *device) hear(e client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.watched[e.Entity]; w != nil && e.Type == "presence" {
		w.document = w.document || e.Body != ""
		w.over = w.over || e.State == "terminated"
	}
	if e.Type == "im" && e.State == "early" {
		user, _, _ := strings.Cut(strings.TrimPrefix(e.From, "sip:"), "@")
		d.shown[user] = true
	}
	close(d.heard)
	d.heard = make(chan struct{})
}

// wait waits until something is so; it is asked again at each event, with the
// lock held.
func (d *device) wait(ctx context.Context, what string, so func() bool) error {
	for {
		d.mu.Lock()
		done, next := so(), d.heard
		d.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("%s: %s: %w", d.name, what, context.Cause(ctx))
		}
	}
}

// lasts is how long what a device of a bed asks for is to last.
const lasts = time.Hour

func (d *device) Register(ctx context.Context) error { return d.client.KeepRegistered(ctx, lasts) }

func (d *device) Publish(ctx context.Context, document []byte) error {
	return d.client.KeepPublished(ctx, client.Publication{Body: document, Expires: lasts})
}

func (d *device) Unpublish(ctx context.Context) error { return d.client.Unpublish(ctx) }

func (d *device) Watch(ctx context.Context, user string) error {
	aor := "sip:" + user + "@" + d.domain
	w := &watched{}
	d.mu.Lock()
	d.watched[aor] = w
	d.mu.Unlock()
	s, err := d.client.Subscribe(ctx, user, client.SubscribeOptions{Expires: lasts})
	if err != nil {
		return err
	}
	d.mu.Lock()
	w.subscription = s
	d.mu.Unlock()
	return d.wait(ctx, "no document of "+user, func() bool { return w.document || w.over })
}

func (d *device) Unwatch(ctx context.Context, user string) error {
	d.mu.Lock()
	w := d.watched["sip:"+user+"@"+d.domain]
	d.mu.Unlock()
	if w == nil || w.subscription == nil {
		return nil
	}
	if err := w.subscription.Unsubscribe(ctx); err != nil {
		return err
	}
	return d.wait(ctx, "the subscription to "+user+" does not end", func() bool { return w.over })
}

func (d *device) IM(ctx context.Context, user, text string) error {
	_, err := d.client.IM(ctx, user, text)
	return err
}

func (d *device) Reply(ctx context.Context, user, text string) error {
	var s *client.Session
	err := d.wait(ctx, "no session with "+user, func() bool {
		s = d.session(user)
		return s != nil && (s.Established() || d.shown[user])
	})
	if err == nil && !s.Established() {
		err = s.Accept(ctx)
	}
	if err != nil {
		return err
	}
	return s.Send(ctx, text)
}

func (d *device) Bye(ctx context.Context, user string) error {
	s := d.session(user)
	if s == nil {
		return fmt.Errorf("%s has no session with %s", d.name, user)
	}
	return s.Close(ctx)
}

// session is the one with a user.
func (d *device) session(user string) *client.Session {
	for _, s := range d.client.Sessions() {
		if strings.HasPrefix(s.Peer(), "sip:"+user+"@") {
			return s
		}
	}
	return nil
}
