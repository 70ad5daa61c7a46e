package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type agentOptions struct {
	con          *console
	name         string
	device       deviceOptions
	port         int
	msrpPort     int
	answer       string
	expires      time.Duration
	unregistered bool
	buddies      bool
	watchers     bool
	capabilities string
	acceptTypes  []string
	notices      []string
	envelope     envelopeOptions
	directory    string
	xcap         string
	stay         bool
	control      string
	save         string
	acceptFiles  string
	maxFile      string
	logLevel     string
}

func newAgentCmd(con *console, run func(context.Context, agentOptions) error) *cobra.Command {
	opts := agentOptions{con: con}
	cmd := &cobra.Command{
		Use:   "agent NAME",
		Short: "Run one device of a user: commands on standard input, events on standard output",
		Long: `Runs a device: it registers, says ready, and then takes a command a line and
prints an event a line, until quit, the end of the input, or an interrupt. NAME is
the participant's; without --user the user is what stands before its hyphen, at
example.com.

` + agentHelp() + `

wait looks at the events since the last one that a wait found, and fails the run
with exit code 1 when the time is up (10s without one). KEY is a field of the
event; person=away asks for an activity, basic=open for one tuple that is open,
basic=closed for all of them closed.`,
		Example: `  presfed agent bob-pc --user bob@example.com --server tcp:127.0.0.1:5060 --answer auto
  printf 'watch bob\nwait presence basic=closed 30s\nquit\n' | presfed agent alice-pc --server tcp:127.0.0.1:5060`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.name = args[0]
			return run(cmd.Context(), opts)
		},
	}
	takesConfig(con, cmd)
	opts.device.flags(cmd)
	opts.device.sessionFlags(cmd)
	f := cmd.Flags()
	f.IntVar(&opts.port, "port", 0, "own `port` for SIP over UDP and TCP (0: free ones)")
	f.IntVar(&opts.msrpPort, "msrp-port", 0, "own `port` for sessions (0: a free one)")
	f.StringVar(&opts.answer, "answer", "ring", "`how` sessions are answered: auto (200 at once), ring (by reply), early (by reply, and shows the first message before), busy (486), decline (603)")
	f.DurationVar(&opts.expires, "expires", time.Hour, "how long a registration or subscription is to last; it is renewed before")
	f.BoolVar(&opts.unregistered, "no-register", false, "do not register")
	f.BoolVar(&opts.buddies, "buddies", true, "watch the user's buddy list from login on, if the server has lists (RFC 4662)")
	f.BoolVar(&opts.watchers, "watchers", true, "be told who watches the user, or asks to, if the server tells that (RFC 3857)")
	f.StringVar(&opts.capabilities, "capabilities", "", "`parameters` of the registered Contact, as ';+sip.message;audio' (default: a device for messages)")
	f.StringSliceVar(&opts.acceptTypes, "accept-types", nil, "content `types` taken in sessions (default text/plain, message/cpim, application/im-iscomposing+xml)")
	f.StringSliceVar(&opts.notices, "notices", []string{"delivery"}, "`what` the senders of messages are told who ask (RFC 5438): delivery, display when it is printed, or none")
	opts.envelope.flags(cmd)
	f.StringVar(&opts.directory, "directory", "", "the domain's directory, a `file`, for allow, block, polite-block, confirm and the buddy list")
	f.StringVar(&opts.xcap, "xcap", "", "XCAP root of the user's server, a `URL`, for allow, block, polite-block and confirm by her own credentials (RFC 4825)")
	f.StringVar(&opts.save, "save", "", "`folder` for messages of sessions that are larger than 1 MiB (default: they are only counted)")
	f.StringVar(&opts.acceptFiles, "accept-files", "", "`folder` for files that are offered (RFC 5547); they are taken at once (default: none is taken)")
	f.StringVar(&opts.maxFile, "max-file", "1GiB", "largest `size` of a file that is taken, or of a message that is saved, as 10MB or 1GiB")
	f.BoolVar(&opts.stay, "stay", false, "go on after the end of the input, until interrupted")
	f.StringVar(&opts.control, "control", "", "`socket` by which others see and steer the device")
	f.StringVar(&opts.logLevel, "log-level", "warn", "`level` of the log on standard error: debug, info, warn, error")
	return cmd
}

// agent is a device that is being told what to do.
type agent struct {
	opts     agentOptions
	envelope client.Envelope // of what it sends
	device   *client.Client
	events   *eventQueue
	log      *slog.Logger

	printing sync.Mutex
	mu       sync.Mutex
	last     string // who wrote last in a session: whom reply is for
}

func runAgent(ctx context.Context, opts agentOptions) error {
	a := &agent{opts: opts, events: newEventQueue()}
	if opts.device.user == "" {
		user, _, _ := strings.Cut(opts.name, "-")
		a.opts.device.user = user + "@example.com"
	}
	for flag, port := range map[string]int{"--port": opts.port, "--msrp-port": opts.msrpPort} {
		if port < 0 || port > 65535 {
			return usage("0 to 65535", "%s %d is no port", flag, port)
		}
	}
	log, err := newLogger(opts.con, opts.logLevel)
	if err != nil {
		return err
	}
	cfg, release, err := a.opts.device.config(opts.con, opts.name)
	if err != nil {
		return err
	}
	defer release()
	if err := a.complete(&cfg, log); err != nil {
		return err
	}
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	control, err := a.steered(&cfg, func() { leave(errQuit) })
	if err != nil {
		return err
	}
	if a.device, err = client.New(cfg); err != nil {
		return errors.Join(fail(exitUsage, err, ""), control.close())
	}
	seen := control.run()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.device.Run(running) }()
	err = a.serve(ctx, func() { control.ready(a.device) })
	if errors.Is(err, errQuit) {
		err = nil
	}
	// What was begun is ended properly, also after an interrupt.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if cerr := a.device.Close(last); cerr != nil {
		log.Info("not everything could be ended", "error", cerr)
	}
	stop()
	if rerr := <-done; err == nil {
		err = rerr
	}
	if serr := seen(); err == nil {
		err = serr
	}
	return peerFailure(err, a.opts.device)
}

func (a *agent) complete(cfg *client.Config, log *slog.Logger) error {
	answer, err := client.ParseAnswer(a.opts.answer)
	if err != nil {
		return usage("as in --answer auto", "--answer: %v", err)
	}
	cfg.Answer, cfg.Lengthen = answer, true
	cfg.Port, cfg.MSRPPort = uint16(a.opts.port), uint16(a.opts.msrpPort)
	cfg.Capabilities, cfg.AcceptTypes = a.opts.capabilities, a.opts.acceptTypes
	if cfg.Notices, err = readNotices("notices", a.opts.notices); err != nil {
		return err
	}
	if a.envelope, err = a.opts.envelope.envelope(); err != nil {
		return err
	}
	cfg.Save = a.opts.save
	cfg.AcceptFiles = a.opts.acceptFiles
	for flag, folder := range map[string]string{"--save": cfg.Save, "--accept-files": cfg.AcceptFiles} {
		if info, err := os.Stat(folder); folder != "" && (err != nil || !info.IsDir()) {
			return usage("make it, or name another", "%s %s is no folder", flag, folder)
		}
		if err := canWrite(folder); err != nil {
			return usage("name a folder that files can be made in", "%s: %v", flag, err)
		}
	}
	if a.opts.xcap != "" {
		if err := client.CheckXCAPRoot(a.opts.xcap); err != nil {
			return usage("as in --xcap https://192.0.2.1:8443", "--xcap: %v", err)
		}
	}
	if cfg.MaxFile, err = parseSize(a.opts.maxFile); err != nil {
		return usage("as in --max-file 10MB", "--max-file: %v", err)
	}
	cfg.Log, cfg.OnEvent, a.log = log, a.happened, log
	return nil
}

// canWrite tries whether files can be made in a folder; "" is none.
func canWrite(folder string) error {
	if folder == "" {
		return nil
	}
	f, err := os.CreateTemp(folder, ".presfed-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// happened prints an event and keeps it for wait.
func (a *agent) happened(e client.Event) {
	if e.Type == "im" && e.Via == "session" || e.Type == "session" && e.Via != "file" {
		a.mu.Lock()
		a.last = e.From
		if e.From == "" {
			a.last = e.Peer
		}
		a.mu.Unlock()
	}
	a.print(e, func(w io.Writer) error { return eventLine(w, e) })
	a.events.add(e)
}

func (a *agent) print(v any, text func(io.Writer) error) {
	a.printing.Lock()
	defer a.printing.Unlock()
	_ = a.opts.con.result(v, text) // what cannot be printed is lost with the console
}

// errQuit ends the run as it was asked to.
var errQuit = errors.New("quit")

// maxLine bounds a command.
const maxLine = 1 << 20

// serve registers and takes commands until there are no more.
func (a *agent) serve(ctx context.Context, ready func()) error {
	if !a.opts.unregistered {
		limited, cancel := context.WithTimeout(ctx, a.opts.device.timeout)
		err := a.login(limited)
		cancel()
		if err != nil {
			return err
		}
	}
	a.happened(client.Event{Type: "ready", Time: time.Now(), Name: a.opts.name, AOR: a.device.AOR(), Addresses: a.addresses()})
	ready()
	lines := make(chan string)
	ended := make(chan error, 1)
	go func() { // it ends with the input, or with the process
		scan := bufio.NewScanner(a.opts.con.in)
		scan.Buffer(nil, maxLine)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
		ended <- scan.Err()
	}()
	for {
		select {
		case line := <-lines:
			if err := a.command(ctx, line); err != nil {
				return err
			}
		case err := <-ended:
			if errors.Is(err, bufio.ErrTooLong) {
				return usage("a document or a long text goes by a file", "standard input: a command is longer than %d bytes", maxLine)
			}
			if err != nil || !a.opts.stay {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// login registers, and watches the buddy list and the user's own watchers where the
// server has them.
func (a *agent) login(ctx context.Context) error {
	if err := a.device.KeepRegistered(ctx, a.opts.expires); err != nil {
		return err
	}
	if a.opts.buddies && a.device.HasLists() {
		a.follow(ctx, a.device.BuddyList(), client.SubscribeOptions{Expires: a.opts.expires, List: true})
	}
	if a.opts.watchers && a.device.HasWatchers() {
		a.follow(ctx, a.device.AOR(), client.SubscribeOptions{Expires: a.opts.expires, Event: client.WatchersEvent})
	}
	return nil
}

// follow watches what a device can do without, unless it does so already.
func (a *agent) follow(ctx context.Context, target string, o client.SubscribeOptions) {
	for _, s := range a.device.Watches() { // registered anew
		if s.Target() == target && (o.List && s.List() || o.Event != "" && s.Event() == o.Event) {
			return
		}
	}
	if _, err := a.device.Watch(ctx, target, o); err != nil {
		a.log.Info("not subscribed", "target", target, "event", o.Event, "list", o.List, "error", err)
	}
}

func (a *agent) addresses() []string {
	var all []string
	for _, at := range []struct {
		how string
		at  netip.AddrPort
	}{{"udp", a.device.Addr("UDP")}, {"tcp", a.device.Addr("TCP")}, {"msrp", a.device.MSRPAddr()}} {
		all = append(all, fmt.Sprint(at.how, ":", at.at))
	}
	return all
}
