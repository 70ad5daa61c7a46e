package client

import (
	"context"
	"log/slog"
	"os"

	"presfed/agents/internal/control"
	"presfed/agents/internal/wire"
)

// Control is a device's control socket: through it others see its wire records,
// give it commands and stop it.
type Control struct {
	name    string
	journal *control.Journal
	server  *control.Server
}

// ControlConfig is what a control socket is made of.
type ControlConfig struct {
	Path string // of the socket
	Name string // the participant
	// Command runs one command line; what it returns is the answer, in JSON.
	Command func(ctx context.Context, line string) (any, error)
	Stop    func()       // begins the clean end; must not block
	Log     *slog.Logger // nil: none
}

// NewControl takes the socket. Its Tap goes into the device's Config, so it is
// there before the device; Run frees it.
func NewControl(cfg ControlConfig) (*Control, error) {
	c := &Control{name: cfg.Name, journal: control.NewJournal(cfg.Name, 0)}
	var err error
	c.server, err = control.NewServer(control.Config{
		Path: cfg.Path, Journal: c.journal, Command: cfg.Command, Stop: cfg.Stop, Log: cfg.Log,
	})
	return c, err
}

// Tap records the device's messages.
func (c *Control) Tap(r wire.Record) { c.journal.Tap(r) }

// Ready says that the participant takes commands, and where its devices listen.
func (c *Control) Ready(devices ...*Client) {
	info := control.Info{Participant: c.name, PID: os.Getpid()}
	for _, d := range devices {
		info.Listen = append(info.Listen,
			control.Listen{Transport: "UDP", Addr: d.Addr("UDP")}, control.Listen{Transport: "TCP", Addr: d.Addr("TCP")},
			control.Listen{Transport: "MSRP", Addr: d.MSRPAddr()}, control.Listen{Transport: "MSRP", Addr: d.EarlyAddr()})
	}
	c.server.SetReady(info)
}

// Run serves until ctx ends, which should be after the device's own end, so
// that the records of that are seen.
func (c *Control) Run(ctx context.Context) error { return c.server.Run(ctx) }

// Close frees the socket of a Control that does not Run.
func (c *Control) Close() error { return c.server.Close() }
