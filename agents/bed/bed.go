package bed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"presfed/agents/certs"
	"presfed/agents/client"
	"presfed/agents/flow"
	"presfed/agents/internal/relay"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
)

// Bed is a federation that runs inside this process: server-a and server-b with
// mutual TLS between them, alice-pc, alice-phone, bob-pc and bob-phone. It is a
// [flow.Stage].
type Bed struct {
	options  Options
	dir      string
	ownDir   bool
	recorder *recorder
	servers  map[string]*server.Server
	clients  map[string]*client.Client // of devices and feeders
	devices  map[string]*device
	feeders  map[string]feeder
	ground   *ground
	creds    []*certs.Credentials
	allows   map[string][]string

	links, fronts map[string]*relay.Relay       // with Options.Meddle
	posing        map[string]*certs.Credentials // of relays
	serving       context.Context

	feeding                               context.Context
	stopFeeders, stopDevices, stopServers context.CancelFunc
	runFeeders, runDevices, runServers    *errgroup.Group
}

// tries is how many subnets are tried where none is asked for.
const tries = 5

// Up builds a bed and starts it. When it returns every socket listens; nobody
// has registered. Who calls it calls Down. On an error nothing is left running.
func Up(ctx context.Context, o Options) (*Bed, error) {
	return again(o, func(o Options) (*Bed, error) { return up(ctx, o) })
}

// again completes the options and builds, anew while the subnet or a port that
// was picked turns out to be in use.
func again[B any](o Options, build func(Options) (B, error)) (B, error) {
	for try := 1; ; try++ {
		options := o
		if err := options.complete(); err != nil {
			var none B
			return none, err
		}
		b, err := build(options)
		picked := options.Ports || !o.Subnet.IsValid() && o.Topology.Subnet == ""
		if err == nil || !picked || try == tries || !inUse(err) {
			return b, err
		}
	}
}

// inUse also reads what a role of its own has written.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), syscall.EADDRINUSE.Error())
}

func up(ctx context.Context, o Options) (b *Bed, err error) {
	b = &Bed{options: o, dir: o.Dir, recorder: newRecorder(), servers: map[string]*server.Server{}, devices: map[string]*device{},
		clients: map[string]*client.Client{}, feeders: map[string]feeder{},
		links: map[string]*relay.Relay{}, fronts: map[string]*relay.Relay{}, posing: map[string]*certs.Credentials{}}
	runServers, stopServers := context.WithCancel(context.Background())
	runDevices, stopDevices := context.WithCancel(context.Background())
	b.serving = runServers
	b.feeding, b.stopFeeders = context.WithCancel(context.Background())
	b.stopServers, b.stopDevices = stopServers, stopDevices
	b.runServers, b.runDevices, b.runFeeders = new(errgroup.Group), new(errgroup.Group), new(errgroup.Group)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop())
			b = nil
		}
	}()
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "presfed-bed-"); err != nil {
			return b, err
		}
		b.ownDir = true
	}
	if b.ground, err = lay(b.dir, &b.options); err != nil {
		return b, err
	}
	links := b.ground.links
	if o.Meddle != nil {
		if err = b.startRelays(runServers, b.ground.authority, links); err != nil {
			return b, err
		}
	}
	told := maps.Clone(links)
	for name, r := range b.links {
		told[name] = r.Addr()
	}
	if err = b.ground.writeDirectory(ctx, told); err != nil {
		return b, err
	}
	for _, at := range o.Topology.Servers {
		if err = b.startServer(ctx, at); err != nil {
			return b, fmt.Errorf("%s: %w", at.Name, err)
		}
		s := b.servers[at.Name]
		b.runServers.Go(func() error { return s.Run(runServers) })
	}
	for _, d := range o.Topology.Devices {
		start := b.startDevice
		if d.Calendar != "" {
			start = b.startFeeder
		}
		if err = start(runDevices, d); err != nil {
			return b, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	b.allows, err = b.ground.allowed(ctx)
	return b, err
}

func (b *Bed) startServer(ctx context.Context, at Server) error {
	files, err := b.ground.certify(at)
	if err != nil {
		return err
	}
	creds, err := certs.Load(certs.Options{Files: files, KeyLog: b.options.KeyLog})
	if err != nil {
		return err
	}
	b.creds = append(b.creds, creds)
	b.servers[at.Name], err = server.New(ctx, server.Config{
		Name: at.Name, Directory: directoryIn(b.dir), State: stateIn(b.dir, at.Name), Synchronised: b.options.Synchronised,
		Listen: []server.Listen{
			{Transport: "UDP", Addr: b.options.addr(at.At, portSIP)},
			{Transport: "TCP", Addr: b.options.addr(at.At, portSIP)},
			{Transport: "TLS", Addr: b.ground.links[at.Name]},
		},
		Algorithms: strings.Join(b.options.Topology.Digest, ","), ServerTLS: creds.Config(), ClientTLS: creds.Config(), Clock: b.options.Clock,
		ShareLinger: b.options.ShareLinger, Log: b.options.Log.With("participant", at.Name), Tap: b.recorder.tap,
	})
	if err != nil {
		delete(b.servers, at.Name)
	}
	return err
}

// Down has the devices say goodbye, stops everything and waits for its end. A
// folder of the bed's own is removed. An ended ctx leaves out what is left of
// the goodbyes.
func (b *Bed) Down(ctx context.Context) error {
	var errs []error
	for _, d := range b.devices {
		if ctx.Err() == nil && d.used.Load() {
			errs = append(errs, d.client.Close(ctx))
		}
	}
	return errors.Join(append(errs, b.stop())...)
}

func (b *Bed) stop() error {
	b.stopFeeders()
	errs := []error{b.runFeeders.Wait()}
	b.stopDevices()
	errs = append(errs, b.runDevices.Wait())
	b.stopServers()
	errs = append(errs, b.runServers.Wait())
	for _, s := range b.servers {
		errs = append(errs, s.Close())
	}
	for _, c := range b.creds {
		errs = append(errs, c.Close())
	}
	if b.ownDir {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// Dir is where the bed keeps its files.
func (b *Bed) Dir() string { return b.dir }

// Records are all wire records so far; more is closed when there are others.
func (b *Bed) Records() (records []wire.Record, more <-chan struct{}) { return b.recorder.all() }

// Facts are what a judge has to know of the bed.
func (b *Bed) Facts() flow.Facts {
	return b.ground.facts(b.allows, func(name string) []netip.AddrPort {
		if s := b.servers[name]; s != nil {
			return []netip.AddrPort{s.Addr("UDP"), s.Addr("TCP"), s.Addr("TLS")}
		}
		c := b.clients[name]
		return []netip.AddrPort{c.Addr("UDP"), c.Addr("TCP"), c.MSRPAddr(), c.EarlyAddr()}
	})
}

// facts are what a judge has to know: at tells where a participant listens.
func (g *ground) facts(allows map[string][]string, at func(name string) []netip.AddrPort) flow.Facts {
	f := flow.Facts{Domain: g.topology.Domain, Allows: allows}
	for _, name := range g.topology.order() {
		p := flow.Participant{Name: name, Addresses: at(name)}
		slices.SortFunc(p.Addresses, netip.AddrPort.Compare)
		p.Addresses = slices.Compact(p.Addresses)
		if s, ok := g.topology.server(name); ok {
			p.Hosts = []string{s.Host}
		}
		f.Participants = append(f.Participants, p)
	}
	return f
}
