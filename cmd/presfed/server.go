package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"presfed/agents/certs"
	"presfed/agents/plain"
	"presfed/agents/server"
)

type serverOptions struct {
	con        *console
	name       string
	directory  string
	state      string
	listen     []string
	certs      string
	algorithms string
	noAuth     bool
	byAddress  bool
	pathMTU    int
	fullSync   bool
	logLevel   string
	control    string
	retry      time.Duration
	keepAlive  time.Duration
	sharing    sharingOptions
	limits     limitOptions
	synced     bool
	withInput  bool
	admin      string
	xcap       string
	profile    bool
}

// newServerCmd is `server NAME`, or, with a name, a command of that name.
func newServerCmd(con *console, name string, run func(context.Context, serverOptions) error) *cobra.Command {
	opts := serverOptions{con: con, name: name}
	cmd := &cobra.Command{
		Use:   "server NAME",
		Short: "Run one federating server",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				opts.name = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	if name != "" {
		cmd.Use, cmd.Short, cmd.Args = name, "Run "+name, takes()
	}
	cmd.Long = `Runs a server of the domain until it is interrupted. NAME is its name in the
directory. When it listens it prints one line that says where.

Each flag can stand in a YAML file that --config names, and in the environment:
flags go before the environment, the environment before the file.

  directory: /var/lib/presfed/directory.db
  listen: [tls:192.0.2.1:5061, tcp:192.0.2.1:5060]
  peer-retry: 10s`
	cmd.Example = "  presfed " + strings.ReplaceAll(cmd.Use, "NAME", "server-a") + " --directory bed/directory.db --listen tcp:127.0.0.1:5060 --listen udp:127.0.0.1:5060"
	takesConfig(con, cmd)
	f := cmd.Flags()
	f.StringVar(&opts.directory, "directory", "bed/directory.db", "the domain's directory, a `file`")
	f.StringVar(&opts.state, "state", "", "the server's own durable state, a `file` (default: NAME.state beside the directory)")
	f.StringSliceVar(&opts.listen, "listen", []string{"udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"}, "`transport:address:port` to listen on, several times; port 0 takes a free one")
	f.StringVar(&opts.certs, "certs", "", "`folder` with ca.pem, NAME.pem and NAME.key, for TLS; new files are used without a restart")
	f.StringVar(&opts.algorithms, "digest-algorithms", "SHA-256,MD5", "`order` of digest challenges")
	f.BoolVar(&opts.noAuth, "no-auth", false, "believe every client's From; for loopback addresses only")
	f.BoolVar(&opts.byAddress, "peers-by-address", false, "know other servers by the addresses that their datagrams come from; for loopback addresses only")
	f.IntVar(&opts.pathMTU, "path-mtu", 0, "how many `bytes` a packet may have wherever requests go by UDP, 1300 to 65535; what has more than that less 200 goes by TCP (default: unknown, and 1300 go by UDP)")
	f.BoolVar(&opts.fullSync, "full-sync", false, "what was acknowledged survives power loss too, not only kill -9")
	f.StringVar(&opts.control, "control", "", "Unix `socket` for trace: wire records are read there")
	f.DurationVar(&opts.retry, "peer-retry", 5*time.Second, "how often a peer that cannot be reached is tried again")
	f.DurationVar(&opts.keepAlive, "keep-alive", 5*time.Second, "how long another server may be silent before it is pinged; a dead link is noticed within three times that")
	opts.sharing.flags(f)
	opts.limits.flags(f)
	f.BoolVar(&opts.synced, "synchronised", false, "keep a copy of the directory that follows it, instead of asking it")
	f.StringVar(&opts.admin, "admin", "", "loopback `address:port` for /metrics (Prometheus) and /healthz by HTTP")
	f.StringVar(&opts.xcap, "xcap", "", "`transport:address:port` where users change their rules by HTTP (RFC 4825): tls (https) or tcp (http)")
	f.BoolVar(&opts.profile, "pprof", false, "profiles at /debug/pprof/ of --admin")
	f.BoolVar(&opts.withInput, "end-with-input", false, "end when standard input does, and so with the process that holds it")
	f.StringVar(&opts.logLevel, "log-level", "warn", "`level` of the log on standard error: debug, info, warn, error")
	return cmd
}

func runServer(ctx context.Context, opts serverOptions) error {
	cfg := server.Config{
		Name: opts.name, Directory: opts.directory, State: opts.state, FullSync: opts.fullSync,
		Algorithms: opts.algorithms, NoAuth: opts.noAuth, Control: opts.control, PeerRetry: opts.retry, KeepAlive: opts.keepAlive, Synchronised: opts.synced,
		PeersByAddress: opts.byAddress, PathMTU: opts.pathMTU,
	}
	if cfg.State == "" {
		cfg.State = filepath.Join(filepath.Dir(opts.directory), opts.name+".state")
	}
	var err error
	if cfg.Listen, err = listenAddresses("listen", opts.listen); err != nil {
		return err
	}
	if opts.certs == "" && slices.ContainsFunc(cfg.Listen, func(l server.Listen) bool { return l.Transport == "TLS" }) {
		return usage("name a folder with --certs; presfed certs init and presfed certs issue make one", "--listen with tls: needs a certificate")
	}
	if cfg.Admin, err = opts.adminAddress(); err != nil {
		return err
	}
	cfg.Profile = opts.profile
	if opts.xcap != "" {
		at, err := listenAddresses("xcap", []string{opts.xcap})
		if err != nil {
			return err
		}
		cfg.XCAP = at[0]
	}
	if opts.pathMTU != 0 && (opts.pathMTU < 1300 || opts.pathMTU > 65535) {
		return usage("as in --path-mtu 1500", "--path-mtu %d: want 1300 to 65535", opts.pathMTU)
	}
	if err = opts.sharing.configure(&cfg); err != nil {
		return err
	}
	if err = opts.limits.configure(&cfg); err != nil {
		return err
	}
	if cfg.Log, err = newLogger(opts.con, opts.logLevel); err != nil {
		return err
	}
	if opts.certs != "" {
		keyLog, _ := opts.con.lookup("SSLKEYLOGFILE")
		creds, err := certs.Load(certs.Options{Files: certs.FilesIn(opts.certs, opts.name), KeyLog: keyLog, Log: cfg.Log})
		if err != nil {
			return fail(exitUsage, err, "presfed certs init and presfed certs issue make what --certs wants")
		}
		defer creds.Close()
		cfg.ServerTLS, cfg.ClientTLS, cfg.Proves = creds.Config(), creds.Config(), creds.Names()
	}
	s, err := server.New(ctx, cfg)
	var input *server.InputError
	if errors.As(err, &input) {
		return fail(exitUsage, err, input.Hint)
	}
	if err != nil {
		return fail(exitUsage, err, "")
	}
	defer s.Close()
	if _, told := opts.con.lookup("GOGC"); !told {
		debug.SetGCPercent(collectAt)
	}
	if err := printReady(opts.con, opts.name, s); err != nil {
		return err
	}
	if opts.withInput {
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		defer end()
		go func() { // ends with the input, or with the process
			_, _ = io.Copy(io.Discard, opts.con.in)
			end()
		}()
	}
	return s.Run(ctx)
}

// collectAt is by how many per cent of what lives the heap may grow before garbage
// is collected, where GOGC does not say. What lives in a server is little beside what
// passes through it.
const collectAt = 300

func (o *serverOptions) adminAddress() (at netip.AddrPort, err error) {
	if o.admin == "" {
		if o.profile {
			return at, usage("as in --admin 127.0.0.1:9090 --pprof", "--pprof needs --admin")
		}
		return at, nil
	}
	if at, err = netip.ParseAddrPort(o.admin); err != nil {
		return at, usage("as in --admin 127.0.0.1:9090", "--admin %q: want address:port", o.admin)
	}
	return at, nil
}

// printReady is the one line that scripts wait for.
func printReady(con *console, name string, s *server.Server) error {
	var at []string
	for _, l := range s.Listening() {
		at = append(at, strings.ToLower(l.Transport)+":"+l.Addr.String())
	}
	admin := ""
	if at := s.AdminAddr(); at.IsValid() {
		admin = "http://" + at.String()
	}
	return con.result(struct {
		Type   string   `json:"type"`
		Name   string   `json:"name"`
		Listen []string `json:"listen"`
		Admin  string   `json:"admin,omitempty"`
		XCAP   string   `json:"xcap,omitempty"`
	}{"ready", name, at, admin, s.XCAPRoot()}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "ready %s %s\n", name, strings.Join(slices.DeleteFunc(append(at, admin, s.XCAPRoot()), func(s string) bool { return s == "" }), " "))
		return err
	})
}

func listenAddresses(flag string, list []string) ([]server.Listen, error) {
	var out []server.Listen
	for _, l := range list {
		transport, address, _ := strings.Cut(l, ":")
		at, err := netip.ParseAddrPort(address)
		transport = strings.ToUpper(transport)
		if err != nil || transport != "UDP" && transport != "TCP" && transport != "TLS" {
			return nil, usage("as in --"+flag+" tls:127.0.0.1:5061", "--%s %q: want transport:address:port", flag, l)
		}
		out = append(out, server.Listen{Transport: transport, Addr: at})
	}
	return out, nil
}

func newLogger(con *console, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("debug, info, warn or error", "--log-level %q is none", level)
	}
	if con.json {
		return slog.New(slog.NewJSONHandler(plain.JSON(con.talk), &slog.HandlerOptions{Level: l})), nil
	}
	return slog.New(tint.NewTextHandler(con.talk, &tint.Options{Level: l, NoColor: !con.color(), ReplaceAttr: plainAttr})), nil
}

// plainAttr is a fact of the log without what a peer wrote to move a terminal: tint
// passes on colours.
func plainAttr(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString {
		a.Value = slog.StringValue(plain.Text(a.Value.String()))
	} else if err, is := a.Value.Any().(error); is {
		a.Value = slog.StringValue(plain.Text(err.Error()))
	}
	return a
}
