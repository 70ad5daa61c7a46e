package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"presfed/db"
	"presfed/routing"
)

type directoryRouteOptions struct {
	directoryOptions
	uri    string
	from   string
	peer   string
	method string
}

func newDirectoryRouteCmd(con *console, run func(context.Context, directoryRouteOptions) error) *cobra.Command {
	opts := directoryRouteOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "route URI",
		Short: "Where a request for a URI would go, and why",
		Long: `Says where each server, or the one of --from, would send a request that a client,
or the server of --peer, sent to it. Exit code 1: it goes nowhere.`,
		Example: `  presfed route bob --from server-a
  presfed route sip:alice@serverb.example.com --from server-b --peer server-a --method INVITE`,
		Args: takes("URI"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.uri = args[0]
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	opts.flags(f)
	f.StringVar(&opts.from, "from", "", "`server` that has the request (default: each in turn)")
	_ = f.SetAnnotation("from", envAnnotation, []string{"PRESFED_ROUTE_FROM"}) // elsewhere --from is a server to leave
	f.StringVar(&opts.peer, "peer", "", "`server` that sent it there (default: a client did)")
	f.StringVar(&opts.method, "method", "SUBSCRIBE", "the request's `method`")
	return cmd
}

// routeResult is what one server does with the request.
type routeResult struct {
	Type    string         `json:"type"`
	At      string         `json:"at"`
	Targets []targetResult `json:"targets,omitempty"`
	Status  int            `json:"status,omitempty"`
	Why     string         `json:"why,omitempty"`
	Source  string         `json:"source,omitempty"`
}

type targetResult struct {
	Kind       routing.Kind `json:"kind"`
	Server     string       `json:"server"`
	Form       routing.Form `json:"form"`
	RequestURI string       `json:"request_uri"`
	Route      string       `json:"route,omitempty"`
	Why        string       `json:"why"`
	Source     string       `json:"source"`
}

func runDirectoryRoute(ctx context.Context, opts directoryRouteOptions) error {
	return opts.read(ctx, func(v db.View) error {
		d, err := v.Domain(ctx)
		if err != nil {
			return err
		}
		servers, err := v.Servers(ctx)
		if err != nil {
			return err
		}
		names := make([]routing.Server, len(servers))
		for i, s := range servers {
			names[i] = s.Routing()
		}
		facts := routing.Facts{Names: routing.NewNames(d.Name, names), Peer: opts.peer, Class: routing.ClassOf(strings.ToUpper(opts.method))}
		for _, name := range []string{opts.from, opts.peer} {
			if _, ok := facts.Names.Server(name); name != "" && !ok {
				return &db.NotFoundError{What: "server", Name: name}
			}
		}
		user, host, port, err := splitTarget(opts.uri, d.Name)
		if err != nil {
			return err
		}
		facts.User = user + "@" + d.Name
		if facts.Place, err = v.Place(ctx, facts.User); err != nil {
			return err
		}
		if facts.Scope, err = routing.ScopeOf(host, port, facts.Names); err != nil {
			return fail(exitVerdict, err, "")
		}
		somewhere := false
		for _, s := range servers {
			if opts.from != "" && s.Name != opts.from || s.Name == opts.peer {
				continue
			}
			facts.Self = s.Name
			r, err := routeAt(facts, user)
			if err != nil {
				return err
			}
			somewhere = somewhere || len(r.Targets) > 0
			if err := opts.con.result(r, r.text); err != nil {
				return err
			}
		}
		if !somewhere {
			return fail(exitVerdict, fmt.Errorf("a request for %s goes nowhere", opts.uri), "presfed directory check says what else cannot work")
		}
		return nil
	})
}

// splitTarget reads bob, bob@host:port or sip:bob@host;parameters.
func splitTarget(uri, domain string) (user, host string, port int, err error) {
	rest, _, _ := strings.Cut(uri, ";")
	user, host, there := strings.Cut(rest, "@")
	if !there {
		host = domain
	}
	var ok bool
	if host, port, ok = routing.SplitHostPort(host); !ok {
		return "", "", 0, &db.InvalidError{Field: "URI", Value: uri, Want: "user, user@host or sip:user@host"}
	}
	aor, err := db.ParseAOR(user+"@"+domain, domain)
	if err != nil {
		return "", "", 0, err
	}
	user, _ = db.SplitAOR(aor)
	return user, host, port, nil
}

func routeAt(f routing.Facts, user string) (routeResult, error) {
	r := routeResult{Type: "route", At: f.Self}
	targets, err := routing.Route(f)
	var refusal *routing.Refusal
	if errors.As(err, &refusal) {
		r.Status, r.Why, r.Source = refusal.Status, refusal.Reason, refusal.Source
		return r, nil
	}
	for _, t := range targets {
		r.Targets = append(r.Targets, targetResult{t.Kind, t.Server, t.Form, "sip:" + user + "@" + t.Host, t.RouteHost, t.Why, t.Source})
	}
	return r, err
}

func (r routeResult) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "at %s\n", r.At)
	if r.Status != 0 {
		fmt.Fprintf(&b, "  refused with %d\n    %s (%s)\n", r.Status, r.Why, r.Source)
	}
	for _, t := range r.Targets {
		switch {
		case t.Route != "":
			fmt.Fprintf(&b, "  to %s as %s with Route %s\n", t.Server, t.RequestURI, t.Route)
		case t.Kind == routing.ToPeer:
			fmt.Fprintf(&b, "  to %s as %s\n", t.Server, t.RequestURI)
		default:
			fmt.Fprintf(&b, "  %s here\n", t.Kind)
		}
		fmt.Fprintf(&b, "    %s (%s)\n", t.Why, t.Source)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
