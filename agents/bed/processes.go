package bed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"presfed/agents/certs"
	"presfed/agents/flow"
	"presfed/agents/internal/control"
	"presfed/agents/internal/wire"
)

// Processes is a bed whose roles are processes of the program itself, each with
// its control socket: what they recorded is read from there, and devices are
// told there what to do. It is a [flow.Stage].
type Processes struct {
	options  Options
	dir      string
	ownDir   bool
	detached bool
	noted    bool // in the run folder
	ground   *ground
	recorder *recorder
	roles    map[string]*process
	allows   map[string][]string

	reading context.CancelFunc
	readers sync.WaitGroup

	mu   sync.Mutex
	lost error // records that are gone, or a socket that failed
}

// Start builds a bed in a folder and starts its roles, servers first. When it
// returns all of them are ready. They run until Down, and end with the caller's
// process, unless o.Detach is set. On an error nothing is left running.
func Start(ctx context.Context, o ProcessOptions) (*Processes, error) {
	return again(o.Options, func(options Options) (*Processes, error) {
		o := o
		o.Options = options
		return start(ctx, o)
	})
}

// ProcessOptions say how a bed of processes is built.
type ProcessOptions struct {
	Options
	// Program is what is run as "Program server NAME ..." and "Program agent
	// NAME ..."; empty: the running executable.
	Program string
	// Detach has the roles outlive the caller, and be found again by Running.
	Detach bool
	// Register has the devices register as they start.
	Register bool
}

// start: what is laid out and launched, in order.
func start(ctx context.Context, o ProcessOptions) (p *Processes, err error) {
	p = &Processes{options: o.Options, dir: o.Dir, detached: o.Detach, recorder: newRecorder(), roles: map[string]*process{}}
	if o.Program == "" {
		if o.Program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	reading, stop := context.WithCancel(context.Background())
	p.reading = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, p.kill())
			p = nil
		}
	}()
	if p.dir == "" {
		if p.dir, err = os.MkdirTemp("", "presfed-bed-"); err != nil {
			return p, err
		}
		p.ownDir = true
	}
	if p.dir, err = filepath.Abs(p.dir); err != nil {
		return p, err
	}
	if err = p.makeRunFolder(); err != nil {
		return p, err
	}
	if p.ground, err = lay(p.dir, &p.options); err != nil {
		return p, err
	}
	if err = p.ground.writeDirectory(ctx, p.ground.links); err != nil {
		return p, err
	}
	if p.allows, err = p.ground.allowed(ctx); err != nil {
		return p, err
	}
	if err = p.writePasswords(); err != nil {
		return p, err
	}
	for _, s := range o.Topology.Servers {
		if _, err = p.ground.certify(s); err != nil {
			return p, err
		}
		if err = p.launch(o, s.Name, p.serverArguments(s)); err != nil {
			return p, err
		}
	}
	if err = p.ready(ctx); err != nil {
		return p, err
	}
	for _, d := range o.Topology.Devices {
		var arguments []string
		if arguments, err = p.deviceArguments(d, o); err != nil {
			return p, err
		}
		if err = p.launch(o, d.Name, arguments); err != nil {
			return p, err
		}
	}
	if err = p.ready(ctx); err != nil {
		return p, err
	}
	if err = p.note(); err != nil || o.Detach { // again: now it is known where they listen
		return p, err
	}
	for _, name := range p.options.Topology.order() {
		p.readers.Go(func() { p.read(reading, p.roles[name]) })
	}
	return p, nil
}

// ready waits until every role that was launched says so, or one has ended.
func (p *Processes) ready(ctx context.Context) error {
	for _, name := range p.options.Topology.order() {
		r := p.roles[name]
		if r == nil || r.info.PID != 0 {
			continue
		}
		if err := r.ready(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// read takes over a role's records until it ends.
func (p *Processes) read(ctx context.Context, r *process) {
	for record, err := range r.control.Records(ctx, 0, true) {
		switch {
		case errors.Is(err, control.ErrEnded) || ctx.Err() != nil:
			return
		case err != nil:
			p.mu.Lock()
			p.lost = errors.Join(p.lost, fmt.Errorf("%s: %w", r.name, err))
			p.mu.Unlock()
		default:
			p.recorder.tap(record)
		}
	}
}

// Down has the devices say goodbye and end, then the servers; what has not ended
// when ctx does is killed. A folder of the bed's own is removed. Its error tells
// of records that were lost as well.
func (p *Processes) Down(ctx context.Context) error {
	err := stopAll(ctx, p.list())
	p.readers.Wait()
	p.mu.Lock()
	err = errors.Join(err, p.lost)
	p.mu.Unlock()
	return errors.Join(err, p.clean())
}

// list is every role that was started, in the order of the topology.
func (p *Processes) list() (out []*process) {
	for _, name := range p.options.Topology.order() {
		if r := p.roles[name]; r != nil {
			out = append(out, r)
		}
	}
	return out
}

// kill ends what an unfinished start has left.
func (p *Processes) kill() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = stopAll(ctx, p.list()) // its error is only that they had to be killed
	return p.clean()
}

func (p *Processes) clean() error {
	p.reading()
	if p.ownDir {
		return os.RemoveAll(p.dir)
	}
	if !p.noted {
		return nil
	}
	return removeRun(p.dir)
}

// Dir is where the bed keeps its files.
func (p *Processes) Dir() string { return p.dir }

// Environment is what a shell needs so that presfed's commands find the bed: the
// variables of their flags.
func (p *Processes) Environment() map[string]string {
	return map[string]string{
		"PRESFED_DIRECTORY": directoryIn(p.dir),
		"PRESFED_CERTS":     certsIn(p.dir),
		"PRESFED_AUTHORITY": certs.FilesIn(certsIn(p.dir), "").Authority,
	}
}

// Ended is closed when every role has ended, by itself or by Running's Down.
func (p *Processes) Ended() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, r := range p.list() {
			<-r.ended
		}
	}()
	return ended
}

// Records are all wire records so far; more is closed when there are others.
func (p *Processes) Records() (records []wire.Record, more <-chan struct{}) { return p.recorder.all() }

// Facts are what a judge has to know of the bed.
func (p *Processes) Facts() flow.Facts {
	return p.ground.facts(p.allows, func(name string) (at []netip.AddrPort) {
		for _, l := range p.roles[name].info.Listen {
			at = append(at, l.Addr)
		}
		return at
	})
}

// Actor is the device of that name.
func (p *Processes) Actor(name string) (flow.Actor, error) {
	r := p.roles[name]
	if _, server := p.options.Topology.server(name); r == nil || server {
		return nil, fmt.Errorf("no device is called %s", name)
	}
	t := &p.options.Topology
	i := slices.IndexFunc(t.Devices, func(d Device) bool { return d.Name == name })
	answer, err := t.Devices[i].answer()
	return &told{control: r.control, name: name, domain: t.Domain, dir: runIn(p.dir), answer: answer}, err
}
