package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/calendar"
	"presfed/agents/client"
	"presfed/pidf"
)

type calendarOptions struct {
	con        *console
	device     deviceOptions
	sources    []string
	name       string
	passwords  string
	port       int
	note       string
	summaries  bool
	activities []string
	dialect    string
	expires    time.Duration
	ahead      time.Duration
	zone       string
	web        webOptions
	dryRun     bool
	from       string
	until      string
	control    string
	withInput  bool
	logLevel   string
}

func newCalendarCmd(con *console, run func(context.Context, calendarOptions) error) *cobra.Command {
	opts := calendarOptions{con: con}
	cmd := &cobra.Command{
		Use:   "calendar SOURCE...",
		Short: "Publish what calendars say their user is doing",
		Long: `Reads calendars and publishes at the user's server that she is busy, while she is,
as a publication of class calendar beside those of her devices. It ends with the
meeting, and when the feeder does. Changes are published as they are seen.

SOURCE is an .ics file, a folder of them, an http or https URL of a calendar or of
a CalDAV server, or a caldav or caldavs one. USER=SOURCE feeds for another user than
--user; any number may be fed by one feeder. Watchers read --note, not what a
meeting is about; --summaries shows that, except of private events.

With --dry-run nothing is published: the times at which the user is busy are
listed, a line each. Times are RFC 3339, or 2026-11-25T09:30 and 2026-11-25 in --tz.

Commands on the control socket: refresh reads all sources and returns when what
they say is published; quit.`,
		Example: `  presfed calendar alice.ics --user alice@example.com --server tcp:127.0.0.1:5060
  presfed calendar https://dav.example.com/alice/ --user alice --dry-run --from 2026-11-25 --until 2026-12-02 --json`,
		Args: takes("SOURCE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.sources = args
			return run(cmd.Context(), opts)
		},
	}
	takesConfig(con, cmd)
	opts.device.flags(cmd)
	opts.web.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.name, "name", "calendar", "the participant's `name` in its records")
	f.StringVar(&opts.passwords, "passwords", "", "`folder` with a file for each user part, with the password on its first line")
	f.IntVar(&opts.port, "port", 0, "own `port` for SIP over UDP and TCP, of one user (0: free ones)")
	f.StringVar(&opts.note, "note", calendar.DefaultNote, "what watchers read while a meeting is on")
	f.BoolVar(&opts.summaries, "summaries", false, "let them read its summary instead, unless it is private")
	f.StringSliceVar(&opts.activities, "activity", []string{"busy", "meeting"}, "`activities` of RFC 4480 that a meeting is")
	f.StringVar(&opts.dialect, "dialect", "standard", "spelling of documents: standard or draft")
	f.DurationVar(&opts.expires, "expires", time.Hour, "the longest that is asked for at once; never beyond the meeting")
	f.DurationVar(&opts.ahead, "ahead", 0, "how far ahead to tell what is to come, as timed-status (RFC 4481)")
	f.StringVar(&opts.zone, "tz", "", "time `zone` of floating times and whole days, as Europe/Berlin (default: the machine's)")
	f.BoolVar(&opts.dryRun, "dry-run", false, "list the times at which the user is busy instead")
	f.StringVar(&opts.from, "from", "", "list from this `time` on (default: now)")
	f.StringVar(&opts.until, "until", "", "list up to this `time` (default: a week after --from)")
	f.StringVar(&opts.control, "control", "", "`socket` by which others see and steer the feeder")
	f.BoolVar(&opts.withInput, "end-with-input", false, "end when standard input does, and so with the process that holds it")
	f.StringVar(&opts.logLevel, "log-level", "warn", "`level` of the log on standard error: debug, info, warn, error")
	return cmd
}

func runCalendar(ctx context.Context, opts calendarOptions) error {
	zone, err := parseZone(opts.zone)
	if err != nil {
		return err
	}
	feeds, err := opts.feeds()
	if err != nil {
		return err
	}
	if opts.dryRun {
		return listCalendars(ctx, opts, zone, feeds)
	}
	if opts.from != "" || opts.until != "" {
		return usage("they are for --dry-run", "--from and --until: what is published is what is on now")
	}
	log, err := newLogger(opts.con, opts.logLevel)
	if err != nil {
		return err
	}
	style := calendar.Style{Note: opts.note, Summaries: opts.summaries}
	if style.Activities, err = calendar.ParseActivities(opts.activities); err != nil {
		return usage("as in --activity busy", "--activity: %v", err)
	}
	if style.Dialect, err = parseDialect(opts.dialect); err != nil {
		return err
	}
	if opts.port < 0 || opts.port > 65535 || opts.port > 0 && len(feeds) > 1 {
		return usage("0 to 65535, and of one user alone", "--port %d cannot be used", opts.port)
	}
	if opts.expires < time.Second {
		return usage("a time such as 1h", "--expires %s leaves no time to publish for", opts.expires)
	}
	r := &feederRole{opts: opts, log: log}
	return r.run(ctx, feeds, calendar.Config{
		Zone: zone, Style: style, Expires: opts.expires, Ahead: opts.ahead, Log: log, OnEvent: r.printed,
	})
}

// feederRole is a feeder that runs, its users' devices and its control socket.
type feederRole struct {
	opts     calendarOptions
	log      *slog.Logger
	printing sync.Mutex
	devices  []*client.Client
	feeder   *calendar.Feeder
}

func (r *feederRole) run(ctx context.Context, feeds []userFeed, cfg calendar.Config) (err error) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	if r.opts.withInput {
		go func() { // it ends with the input, or with the process
			_, _ = io.Copy(io.Discard, r.opts.con.in)
			leave(errQuit)
		}()
	}
	control, err := newAgentControl(client.ControlConfig{
		Path: r.opts.control, Name: r.opts.name, Log: r.log, Stop: func() { leave(errQuit) },
	}, r.command)
	if err != nil {
		return err
	}
	seen := control.run()
	defer func() { err = errors.Join(err, seen()) }()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	defer func() { stop(); all.Wait() }()
	for _, u := range feeds {
		device, release, err := r.device(u, control)
		if err != nil {
			return err
		}
		defer release()
		all.Go(func() {
			if err := device.Run(running); err != nil {
				leave(err)
			}
		})
		r.devices = append(r.devices, device)
		cfg.Users = append(cfg.Users, calendar.User{Client: device, Sources: u.sources})
	}
	r.feeder = calendar.New(cfg)
	done := make(chan error, 1)
	go func() { done <- r.feeder.Run(ctx) }()
	if err := r.feeder.Refresh(ctx); err != nil && ctx.Err() == nil {
		leave(nil)
		if rerr := <-done; rerr != nil {
			err = rerr
		}
		return r.failure(err)
	}
	if ctx.Err() == nil {
		r.ready()
		control.ready(r.devices...)
	}
	err = <-done
	if err == nil {
		if err = context.Cause(ctx); errors.Is(err, errQuit) {
			err = nil
		}
	}
	for _, d := range r.devices {
		r.print(client.Event{Type: "closed", Time: time.Now(), AOR: d.AOR()})
	}
	return r.failure(err)
}

// device is the client that speaks for a user.
func (r *feederRole) device(u userFeed, control *agentControl) (*client.Client, func(), error) {
	o := r.opts.device
	o.user = u.user
	if r.opts.passwords != "" {
		part, _, _ := strings.Cut(u.user, "@")
		o.passwordFile = filepath.Join(r.opts.passwords, filepath.Base(part))
	}
	cfg, release, err := o.config(r.opts.con, r.opts.name)
	if err != nil {
		return nil, nil, err
	}
	cfg.Lengthen, cfg.Log, cfg.OnEvent, cfg.Port = true, r.log, r.print, uint16(r.opts.port)
	cfg.Answer, _ = client.ParseAnswer("decline")
	if control != nil {
		cfg.Tap = control.socket.Tap
	}
	device, err := client.New(cfg)
	if err != nil {
		release()
		return nil, nil, fail(exitUsage, err, "")
	}
	return device, release, nil
}

func (r *feederRole) command(ctx context.Context, line string) error {
	switch strings.TrimSpace(line) {
	case "refresh":
		return r.feeder.Refresh(ctx)
	case "quit":
		return errQuit
	}
	return fmt.Errorf("unknown command %q: want refresh or quit", line)
}

func (r *feederRole) ready() {
	e := client.Event{Type: "ready", Time: time.Now(), Name: r.opts.name}
	for _, d := range r.devices {
		e.Addresses = append(e.Addresses, "udp:"+d.Addr("UDP").String(), "tcp:"+d.Addr("TCP").String())
	}
	if len(r.devices) == 1 {
		e.AOR = r.devices[0].AOR()
	}
	r.print(e)
}

func (r *feederRole) print(e client.Event) {
	r.printing.Lock()
	defer r.printing.Unlock()
	_ = r.opts.con.result(e, func(w io.Writer) error { return eventLine(w, e) }) // lost with the console
}

// printed is an event of the feeder's own.
func (r *feederRole) printed(e calendar.Event) {
	r.printing.Lock()
	defer r.printing.Unlock()
	_ = r.opts.con.result(e, func(w io.Writer) error {
		where := ""
		if e.Source != "" {
			where = fmt.Sprintf(" source=%s line=%d uid=%s", printable(e.Source), e.Line, printable(e.UID))
		}
		_, err := fmt.Fprintf(w, "%s aor=%s%s reason=%s\n", e.Type, e.AOR, where, printable(e.Message))
		return err
	})
}

// failure gives what ended the feeder its exit code.
func (r *feederRole) failure(err error) error {
	if f := sourceFailure(err); f != nil {
		return f
	}
	return peerFailure(err, r.opts.device)
}

func parseDialect(name string) (pidf.Dialect, error) {
	for _, d := range []pidf.Dialect{pidf.Standard, pidf.Draft} {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, usage("standard or draft", "--dialect %q is none", name)
}
