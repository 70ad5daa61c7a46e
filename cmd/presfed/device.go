package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"presfed/agents/certs"
	"presfed/agents/client"
	"presfed/agents/plain"
)

// deviceOptions are what every command needs that speaks as a user's device.
type deviceOptions struct {
	user         string
	server       string
	passwordFile string
	bind         string
	authority    string
	timeout      time.Duration
	capabilities string   // of the registered Contact; empty: a device for messages
	headers      []string // of those that make single requests
	dryRun       bool
	secureMedia  bool // of those that have sessions
	unlimited    bool // the timeout is for the answer alone, and not withDevice's to hold
}

func (o *deviceOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.user, "user", "", "speak as this `user`: alice@example.com")
	f.StringVar(&o.server, "server", "", "next `hop`: host, host:port, tcp:host:port, tls:host (default: the user's domain)")
	f.StringVar(&o.passwordFile, "password-file", "", "`file` with the password on its first line (or PRESFED_PASSWORD, or a prompt)")
	f.StringVar(&o.bind, "bind", "127.0.0.1", "own `address`")
	f.StringVar(&o.authority, "authority", "", "`file` of the certificate authority for TLS (default: the system's)")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "give up after this long")
}

// sessionFlags are for commands that have sessions.
func (o *deviceOptions) sessionFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.secureMedia, "msrp-tls", false, "offer sessions by TLS (msrps); who is offered one answers in kind")
}

// messageFlags are for commands that send a request or two.
func (o *deviceOptions) messageFlags(cmd *cobra.Command) {
	o.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.headers, "header", nil, "a `field` more for the request, as 'Subject: hello'; several times")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the request instead of sending it; nothing is resolved or asked")
}

// password comes from the file, the environment or a prompt; never from an
// argument, which others can see.
func (o *deviceOptions) password(con *console) (string, error) {
	if o.passwordFile != "" {
		b, err := os.ReadFile(o.passwordFile)
		if err != nil {
			return "", err
		}
		line, _, _ := bytes.Cut(b, []byte("\n"))
		password := strings.TrimSuffix(string(line), "\r")
		if password == "" {
			return "", usage("the password is the file's first line", "%s: the password is empty", o.passwordFile)
		}
		return password, nil
	}
	if v, ok := con.lookup("PRESFED_PASSWORD"); ok {
		return v, nil
	}
	in, ok := con.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", nil // servers that do not ask need none
	}
	fmt.Fprintf(con.talk, "Password of %s: ", o.user)
	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(con.talk)
	return string(b), err
}

// config is the client that the options describe. release lets go of what it
// needs while it runs.
func (o deviceOptions) config(con *console, name string) (cfg client.Config, release func(), err error) {
	if o.user == "" {
		return cfg, nil, usage("for example --user alice@example.com", "--user is missing: who speaks?")
	}
	bind, err := netip.ParseAddr(o.bind)
	if err != nil {
		return cfg, nil, usage("an IP address such as 127.0.0.1", "--bind %q is no address", o.bind)
	}
	cfg = client.Config{
		Name: name, User: o.user, Server: o.server, Bind: bind, Agent: "presfed", Capabilities: o.capabilities, SecureMedia: o.secureMedia,
	}
	for _, text := range o.headers {
		h, err := client.ParseHeader(text)
		if err != nil {
			return cfg, nil, usage("as in --header 'Subject: hello'", "--header: %v", err)
		}
		cfg.Headers = append(cfg.Headers, h)
	}
	if o.dryRun {
		cfg.DryRun = func(r client.Unsent) { printRequest(con, r) }
	} else if cfg.Password, err = o.password(con); err != nil {
		return cfg, nil, err
	}
	keyLog, _ := con.lookup("SSLKEYLOGFILE")
	creds, err := certs.Load(certs.Options{Files: certs.Files{Authority: o.authority}, KeyLog: keyLog})
	if err != nil {
		return cfg, nil, fail(exitUsage, err, "--authority wants a certificate in PEM, such as ca.pem of presfed certs init")
	}
	cfg.TLS = creds.Config()
	return cfg, func() { creds.Close() }, nil
}

// withDevice runs f with a device that is up, within the timeout.
func withDevice(ctx context.Context, con *console, o deviceOptions, onEvent func(client.Event), f func(context.Context, *client.Client) error) error {
	cfg, release, err := o.config(con, "presfed")
	if err != nil {
		return err
	}
	defer release()
	cfg.OnEvent = onEvent
	c, err := client.New(cfg)
	if err != nil {
		return fail(exitUsage, err, "")
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	if !o.unlimited {
		limited, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		ctx = limited
	}
	err = f(ctx, c)
	stop()
	if rerr := <-done; err == nil {
		err = rerr
	}
	if errors.Is(err, client.ErrDryRun) {
		return nil
	}
	return peerFailure(err, o)
}

// peerFailure gives what a peer did its exit code.
func peerFailure(err error, o deviceOptions) error {
	var refused *client.RefusedError
	var stopped *client.StatusError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrNoUser):
		return fail(exitUsage, err, "")
	case errors.Is(err, client.ErrNoList):
		return fail(exitUsage, err, "a user is watched without --list")
	case errors.Is(err, client.ErrAuthentication):
		return fail(exitAuth, err, "check the user's name and password")
	case errors.As(err, &refused):
		return fail(exitRefused, err, refusalHint(refused.Status(), refused.Field))
	case errors.As(err, &stopped), errors.Is(err, client.ErrNoFiles), errors.Is(err, client.ErrDeclined), errors.Is(err, client.ErrTooLarge), errors.Is(err, client.ErrType):
		return fail(exitRefused, err, "")
	case errors.Is(err, client.ErrLost), errors.Is(err, client.ErrLate):
		return fail(exitTimeout, err, "what had come of it is not kept there: send it again")
	case errors.Is(err, client.ErrNotAnswered) && errors.Is(err, context.DeadlineExceeded):
		return fail(exitTimeout, fmt.Errorf("the message is shown, but %w within %s", client.ErrNotAnswered, o.timeout), "--timeout waits longer")
	case isTLS(err):
		return fail(exitAuth, err, "is this the server that was meant, and --authority its authority?")
	case errors.Is(err, client.ErrTimeout), errors.Is(err, client.ErrTransport), errors.Is(err, context.DeadlineExceeded):
		server := o.server
		if server == "" {
			server = "the user's domain"
		}
		if errors.Is(err, context.DeadlineExceeded) {
			said := strings.ReplaceAll(err.Error(), context.DeadlineExceeded.Error(), "no answer within "+o.timeout.String())
			return fail(exitTimeout, errors.New(said), "does a SIP server listen at "+server+"? --timeout waits longer")
		}
		return fail(exitTimeout, err, "does a SIP server listen at "+server+"?")
	case errors.Is(err, client.ErrNoAddress):
		return fail(exitUsage, err, "name the server with --server host:port")
	}
	return err
}

// eventLine is an event as people read it.
func eventLine(w io.Writer, e client.Event) error {
	var b strings.Builder
	b.WriteString(e.Type)
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", name, printable(value))
		}
	}
	add("name", quoted(e.Name))
	add("aor", e.AOR)
	add("addresses", strings.Join(e.Addresses, ","))
	add("entity", e.Entity)
	add("list", e.List)
	add("state", e.State)
	add("reason", e.Reason)
	if e.Expires > 0 {
		add("expires", fmt.Sprint(e.Expires))
	}
	add("etag", e.ETag)
	add("from", e.From)
	add("peer", e.Peer)
	add("via", e.Via)
	add("notice", string(e.Notice))
	add("message_id", e.MessageID)
	add("notify", joined(e.Notify))
	if e.Code != 0 {
		add("code", fmt.Sprint(e.Code))
	}
	add("file", quoted(e.File))
	add("hash", e.Hash)
	if e.Subject != "" {
		fmt.Fprintf(&b, " subject=%q", e.Subject)
	}
	if e.Text == "" && e.Size > 0 {
		add("size", fmt.Sprint(e.Size))
	}
	if e.Text != "" {
		fmt.Fprintf(&b, " text=%q", e.Text)
	}
	b.WriteByte('\n')
	if e.Body != "" {
		for line := range strings.Lines(e.Body) {
			b.WriteString("  " + printable(strings.TrimRight(line, "\r\n")) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted makes one word of what would look like several.
func quoted(s string) string {
	if strings.ContainsAny(s, ` "=`) || s != printable(s) {
		return strconv.Quote(s)
	}
	return s
}

// printable keeps off the terminal what a peer wrote to move it.
func printable(s string) string { return plain.Text(s) }

// printRequest is what a dry run shows: the bytes as they would be sent.
func printRequest(con *console, r client.Unsent) {
	line, _, _ := bytes.Cut(r.Raw, []byte("\r\n"))
	_ = con.result(struct {
		Type      string `json:"type"`
		StartLine string `json:"start_line"`
		Method    string `json:"method"`
		CallID    string `json:"call_id"`
		Raw       []byte `json:"raw"` // base64
	}{"message", string(line), r.Method, r.CallID, r.Raw}, func(w io.Writer) error {
		_, err := w.Write(r.Raw)
		return err
	})
}

// printEvents gives each event to the console; what cannot be printed is lost
// with the console.
func printEvents(con *console) func(client.Event) {
	return func(e client.Event) {
		_ = con.result(e, func(w io.Writer) error { return eventLine(w, e) })
	}
}
