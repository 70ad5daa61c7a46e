package db

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"presfed/routing"
)

// Server is a federating server.
type Server struct {
	Name string
	// URI is where it is reached: sip:host[:port][;transport=udp|tcp|tls].
	URI string
	// Transport is udp, tcp or tls; empty takes the URI's, or tls.
	Transport string
	// Identity is its own host name, which its certificate says; empty takes the
	// URI's host.
	Identity string
	// Aliases are further hosts that count as its own, with or without a port.
	Aliases []string
}

func (s Server) canonical() (Server, error) {
	if !nameRE.MatchString(s.Name) {
		return s, &InvalidError{Field: "server name", Value: s.Name, Want: "letters, digits, dots, dashes, such as server-b"}
	}
	bad := func(field, value, want string) (Server, error) {
		return s, &InvalidError{Field: field + " of server " + s.Name, Value: value, Want: want}
	}
	const want = "sip:host, with :port and ;transport=udp, tcp or tls if needed"
	scheme, rest, ok := strings.Cut(strings.TrimSpace(s.URI), ":")
	if !ok || scheme != "sip" && scheme != "sips" {
		return bad("URI", s.URI, want)
	}
	rest, params, _ := strings.Cut(rest, ";")
	host, port, ok := routing.SplitHostPort(rest)
	if !ok || !validHost(host) {
		return bad("URI", s.URI, want)
	}
	transport := ""
	if name, value, ok := strings.Cut(params, "="); params != "" {
		if transport = strings.ToLower(value); !ok || !strings.EqualFold(name, "transport") {
			return bad("URI", s.URI, want)
		}
	}
	if scheme == "sips" {
		transport = "tls"
	}
	if s.Transport = strings.ToLower(s.Transport); s.Transport == "" {
		s.Transport = transport
	}
	if s.Transport == "" {
		s.Transport = "tls"
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, s.Transport) {
		return bad("transport", s.Transport, "udp, tcp or tls")
	}
	if transport != "" && transport != s.Transport {
		return bad("transport", s.Transport, transport+", as its URI says")
	}
	s.URI = "sip:" + joinHostPort(host, port) + ";transport=" + s.Transport
	if s.Identity == "" {
		s.Identity = host
	}
	id := routing.Host(s.Identity)
	if !isHost(id) || len(id) > 253 {
		return bad("identity", s.Identity, "the host name of its certificate, such as serverb.example.com")
	}
	s.Identity = id
	var aliases []string
	for _, a := range s.Aliases {
		host, port, ok := routing.SplitHostPort(a)
		if !ok || !validHost(host) {
			return bad("alias", a, "a host name or IP address, with :port if needed")
		}
		aliases = append(aliases, joinHostPort(host, port))
	}
	slices.Sort(aliases)
	s.Aliases = slices.Compact(aliases)
	return s, nil
}

func validHost(h string) bool { return isHost(h) || net.ParseIP(h) != nil }

func joinHostPort(host string, port int) string {
	if port != 0 {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// HostPort is where the server listens; the port is the transport's own where
// the URI names none.
func (s Server) HostPort() (host string, port int) {
	rest, _, _ := strings.Cut(strings.TrimPrefix(s.URI, "sip:"), ";")
	host, port, _ = routing.SplitHostPort(rest)
	if port == 0 && s.Transport == "tls" {
		port = 5061
	} else if port == 0 {
		port = 5060
	}
	return host, port
}

// Routing is what routing needs to know of the server.
func (s Server) Routing() routing.Server {
	host, port := s.HostPort()
	return routing.Server{Name: s.Name, Identity: s.Identity, Hosts: append([]string{joinHostPort(host, port)}, s.Aliases...)}
}

// Server is the named server; ErrNotFound.
func (v View) Server(ctx context.Context, name string) (Server, error) {
	list, err := v.servers(ctx, "WHERE s.name = $1", name)
	if err == nil && len(list) == 0 {
		err = &NotFoundError{What: "server", Name: name}
	}
	if err != nil {
		return Server{}, err
	}
	return list[0], nil
}

// Servers is every server, by name.
func (v View) Servers(ctx context.Context) ([]Server, error) { return v.servers(ctx, "") }

func (v View) servers(ctx context.Context, where string, args ...any) (out []Server, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var s Server
		var alias sql.NullString
		err := rows.Scan(&s.Name, &s.URI, &s.Transport, &s.Identity, &alias)
		if n := len(out); n == 0 || out[n-1].Name != s.Name {
			out = append(out, s)
		}
		if last := &out[len(out)-1]; alias.Valid {
			last.Aliases = append(last.Aliases, alias.String)
		}
		return err
	}, `SELECT s.name, s.uri, s.transport, s.identity, a.alias FROM server s
		LEFT JOIN server_alias a ON a.server = s.name `+where+` ORDER BY s.name, a.alias`, args...)
	return out, err
}

// AddServer adds a server; ErrExists, *InvalidError.
func (t *Tx) AddServer(s Server) error { return t.putServer(s, false) }

// SetServer changes a server; ErrNotFound, *InvalidError.
func (t *Tx) SetServer(s Server) error { return t.putServer(s, true) }

func (t *Tx) putServer(s Server, there bool) error {
	s, err := s.canonical()
	if err != nil {
		return err
	}
	if err := t.expect("server", "SELECT name FROM server WHERE name = $1", s.Name, there); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO server (name, uri, transport, identity) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET uri = excluded.uri, transport = excluded.transport, identity = excluded.identity`,
		s.Name, s.URI, s.Transport, s.Identity); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM server_alias WHERE server = $1", s.Name); err != nil {
		return err
	}
	for _, a := range s.Aliases {
		if _, err := t.exec("INSERT INTO server_alias (server, alias) VALUES ($1, $2)", s.Name, a); err != nil {
			return err
		}
	}
	t.touch(KindServer, s.Name)
	return nil
}

// RemoveServer removes a server that serves nobody; ErrNotFound, ErrInUse.
func (t *Tx) RemoveServer(name string) error {
	users, count, err := t.some(`SELECT aor FROM placement_server WHERE server = $1
		UNION SELECT aor FROM placement WHERE root = $2 ORDER BY aor`, name, name)
	if err != nil {
		return err
	}
	if count > 0 {
		return &InUseError{What: "server", Name: name, By: users, Count: count}
	}
	return t.remove(KindServer, "server", "DELETE FROM server WHERE name = $1", name)
}

// expect makes sure that a thing is there, or is not.
func (t *Tx) expect(what, query, name string, there bool) error {
	var got string
	found, err := t.one(t.tx.ctx, []any{&got}, query, name)
	switch {
	case err != nil:
		return err
	case found && !there:
		return &ExistsError{What: what, Name: name}
	case !found && there:
		return &NotFoundError{What: what, Name: name}
	}
	return nil
}

// remove deletes one thing that must be there.
func (t *Tx) remove(kind Kind, what, query, name string) error {
	n, err := t.exec(query, name)
	if err == nil && n == 0 {
		err = &NotFoundError{What: what, Name: name}
	}
	if err != nil {
		return err
	}
	t.touch(kind, name)
	return nil
}

func (s Server) String() string { return fmt.Sprintf("%s (%s, %s)", s.Name, s.URI, s.Identity) }
