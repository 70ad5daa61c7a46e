// Package client is one device of a user: it registers, publishes, watches and
// talks, towards any SIP server.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/wire"
)

// Config is what a device is made of.
type Config struct {
	Name     string // the participant, as tap and log call it
	User     string // bob@example.com or a SIP URI
	Password string // empty: challenges cannot be answered
	// Server is the next hop of every request outside a dialog: host, host:port,
	// tls:host:port, tcp:host. Empty: the user's domain, by RFC 3263.
	Server       string
	Bind         netip.Addr  // own address; zero: 127.0.0.1
	Port         uint16      // own UDP and TCP port; 0: free ones
	TLS          *tls.Config // for dialling; nil: no TLS
	Capabilities string      // parameters of the registered Contact, as ";audio;+sip.message" (RFC 3840)
	Agent        string      // User-Agent
	Timers       sip.Timers
	Tap          wire.Tap
	Clock        clock.Clock
	Log          *slog.Logger
	Lookup       resolve.Lookup // nil: the machine's DNS
	// OnEvent hears what happens to the device, in order; it must not block. Nil:
	// nobody does.
	OnEvent func(Event)
}

// Client is a device. New binds its sockets, Run serves them; requests can be
// sent while Run runs.
type Client struct {
	cfg      Config
	aor      message.URI
	server   message.URI
	endpoint *sip.Endpoint
	auth     *auth.Client
	resolver resolve.Resolver
	clock    clock.Clock
	log      *slog.Logger

	mu   sync.Mutex
	cseq uint32
	hops []sip.Target // of the server, found once
	subs map[string]*Subscription
}

// New binds the device's sockets. Its errors say what of cfg is wrong.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, clock: cfg.Clock, log: cfg.Log, subs: map[string]*Subscription{}}
	if c.clock == nil {
		c.clock = clock.System
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.aor, err = resolve.User(cfg.User, ""); err != nil {
		return nil, err
	}
	server := cmp.Or(cfg.Server, c.aor.Host)
	if c.server, err = resolve.Target(server); err != nil {
		return nil, err
	}
	c.auth = auth.NewClient(message.Unescape(c.aor.User), cfg.Password)
	c.resolver = resolve.Resolver{Lookup: cfg.Lookup, Transports: []string{"UDP", "TCP"}}
	if cfg.TLS != nil {
		c.resolver.Transports = nil
	}
	if c.resolver.Lookup == nil {
		c.resolver.Lookup = resolve.DNS{}
	}
	if !cfg.Bind.IsValid() {
		c.cfg.Bind = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	here := netip.AddrPortFrom(c.cfg.Bind, cfg.Port)
	c.endpoint, err = sip.New(sip.Config{
		Name: cfg.Name, Bind: c.cfg.Bind, ClientTLS: cfg.TLS, Handler: (*handler)(c), Tap: cfg.Tap,
		Listen: []sip.Listen{{Transport: "UDP", Addr: here}, {Transport: "TCP", Addr: here}},
		Timers: cfg.Timers, Clock: cfg.Clock, Log: cfg.Log,
	})
	return c, err
}

// Run serves the device's sockets until ctx ends.
func (c *Client) Run(ctx context.Context) error { return c.endpoint.Run(ctx) }

// AOR is the user's address of record.
func (c *Client) AOR() string { return message.AOR(c.aor) }

// Domain is the user's domain.
func (c *Client) Domain() string { return c.aor.Host }

// RefusedError is a final response that is no success.
type RefusedError struct {
	Method   string
	Response *message.Response
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s was answered %d %s", e.Method, e.Response.StatusCode, e.Response.Reason)
	if w := message.Get(e.Response, "Warning"); w != "" {
		s += " (" + w + ")"
	}
	return s
}

// Status is the response's code.
func (e *RefusedError) Status() int { return e.Response.StatusCode }

// ErrAuthentication: the server did not accept the credentials, or there were none.
var ErrAuthentication = errors.New("authentication failed")

// request is a request outside any dialog, from this user.
func (c *Client) request(method string, uri message.URI, to string) *message.Request {
	req := message.NewRequest(method, uri)
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", message.Address{URI: c.aor}.WithTag(sip.NewTag()).String())
	message.Add(req, "To", to)
	message.Add(req, "Call-ID", sip.NewTag()+"@"+c.cfg.Bind.String())
	message.Add(req, "CSeq", message.CSeq{Seq: c.nextCSeq(), Method: method}.String())
	if c.cfg.Agent != "" {
		message.Add(req, "User-Agent", c.cfg.Agent)
	}
	return req
}

func (c *Client) nextCSeq() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cseq++
	return c.cseq
}

// contact is where this device is reached.
func (c *Client) contact() message.URI {
	transport := "TCP"
	if v, ok := message.URIParam(c.server, "transport"); ok && (v == "udp" || v == "UDP") {
		transport = "UDP"
	}
	at := c.endpoint.Addr(transport)
	host := at.Addr().String()
	if at.Addr().Is6() {
		host = "[" + host + "]"
	}
	u := message.URI{Scheme: "sip", User: c.aor.User, Host: host, Port: int(at.Port())}
	if transport == "TCP" {
		u.UriParams.Add("transport", "tcp")
	}
	return u
}

// targets are the addresses of the next hop, in the order to try.
func (c *Client) targets(ctx context.Context) ([]sip.Target, error) {
	c.mu.Lock()
	known := c.hops
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	list, err := c.resolver.URI(ctx, c.server)
	if err != nil {
		return nil, err
	}
	for _, cand := range list {
		known = append(known, sip.Target{Transport: cand.Transport, Addr: cand.Addr, ServerName: cand.Host})
	}
	c.mu.Lock()
	c.hops = known
	c.mu.Unlock()
	return known, nil
}

// do sends req to the next hop, answers challenges, tries the next address of
// the server where one fails, and gives the final response: a 2xx, or a
// *RefusedError beside it. provisional hears the others; it may be nil.
func (c *Client) do(ctx context.Context, req *message.Request, to []sip.Target, provisional func(*message.Response)) (*message.Response, error) {
	if to == nil {
		var err error
		if to, err = c.targets(ctx); err != nil {
			return nil, err
		}
	}
	attempt := c.auth.Begin(req)
	for {
		res, err := c.failover(ctx, attempt.Request(), to, provisional)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode/100 == 2:
			return res, nil
		case res.StatusCode != 401 && res.StatusCode != 407:
			return res, &RefusedError{Method: string(req.Method), Response: res}
		case c.cfg.Password == "":
			return res, fmt.Errorf("%w: the server asks for a password, and none is given", ErrAuthentication)
		}
		if _, err = attempt.Retry(res); err != nil {
			return res, fmt.Errorf("%w: %w", ErrAuthentication, err)
		}
	}
}

// failover goes through the addresses of the next hop (RFC 3263 section 4.3).
func (c *Client) failover(ctx context.Context, req *message.Request, to []sip.Target, provisional func(*message.Response)) (res *message.Response, err error) {
	for i, target := range to {
		res, err = c.exchange(ctx, message.Clone(req), target, provisional)
		failed := errors.Is(err, sip.ErrTransport) || errors.Is(err, sip.ErrTimeout) || res != nil && res.StatusCode == 503
		if !failed || i == len(to)-1 {
			break
		}
		c.log.Info("next address of the server", "failed", target.Addr, "error", err)
	}
	return res, err
}

func (c *Client) exchange(ctx context.Context, req *message.Request, to sip.Target, provisional func(*message.Response)) (*message.Response, error) {
	type final struct {
		res *message.Response
		err error
	}
	done := make(chan final, 1)
	c.endpoint.Send(req, to, func(res *message.Response, err error) {
		if err == nil && res.StatusCode < 200 {
			if provisional != nil {
				provisional(res)
			}
			return
		}
		select {
		case done <- final{res, err}:
		default: // a 2xx that came again
		}
	})
	select {
	case f := <-done:
		return f.res, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", req.Method, context.Cause(ctx))
	}
}

// seconds is a duration on the wire, whole.
func seconds(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }
