package server

import (
	"context"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// hops finds where a next hop is (RFC 3263): a server of the domain where the
// directory says, anything else by the DNS, apart from the caller.
func (s *Server) hops(next message.URI, done func([]sip.Target, error)) {
	ctx := context.Background()
	if peer, ok := s.serverAt(ctx, next); ok {
		host, port := peer.HostPort()
		uri := message.URI{Scheme: "sip", Host: host, Port: port}
		uri.UriParams.Add("transport", peer.Transport)
		s.resolve(ctx, uri, peer.Identity, done)
		return
	}
	s.resolve(ctx, next, "", done)
}

// resolve calls done at once for a literal address and later for a name.
func (s *Server) resolve(ctx context.Context, uri message.URI, prove string, done func([]sip.Target, error)) {
	ask := func() {
		ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
		defer cancel()
		found, err := s.resolver.URI(ctx, uri)
		targets := make([]sip.Target, 0, len(found))
		for _, c := range found {
			t := sip.Target{Transport: c.Transport, Addr: c.Addr, ServerName: c.Host}
			if prove != "" {
				t.ServerName = prove // its certificate must name the server, wherever it is
			}
			targets = append(targets, t)
		}
		done(targets, err)
	}
	if resolve.Literal(uri) {
		ask()
		return
	}
	go ask() // bounded by resolveTimeout
}

// serverAt is the server that a URI without a user, or in server form, names. Its
// address with another port is somebody else's on that host, such as a device.
func (s *Server) serverAt(ctx context.Context, uri message.URI) (db.Server, bool) {
	names, err := s.locate.Names(ctx)
	if err != nil {
		return db.Server{}, false
	}
	scope, err := routing.ScopeOf(uri.Host, uri.Port, names)
	if err != nil || scope.Server == "" {
		return db.Server{}, false
	}
	server, err := s.locate.Server(ctx, scope.Server)
	if err != nil {
		return db.Server{}, false
	}
	_, port := server.HostPort()
	return server, uri.Port == 0 || uri.Port == port || !resolve.Literal(uri)
}

// own says whether a URI of a Route names this server: its host name, or an
// address it listens on.
func (s *Server) own(uri message.URI) bool {
	for _, l := range s.cfg.Listen {
		at := s.endpoint.Addr(l.Transport)
		if strings.Trim(uri.Host, "[]") == at.Addr().String() && uri.Port == int(at.Port()) {
			return true
		}
	}
	server, ok := s.serverAt(context.Background(), uri)
	return ok && server.Name == s.cfg.Name
}

// recordRoute is how the far side of a hop reaches us: on TLS by host name (RFC
// 5922 section 7.5), else at the address we listen on.
func (s *Server) recordRoute(hop sip.Target) message.URI {
	if hop.Transport == "TLS" {
		return message.URI{Scheme: "sip", Host: s.self.Identity}
	}
	at := s.endpoint.Addr(hop.Transport)
	host := at.Addr().String()
	if at.Addr().Is6() {
		host = "[" + host + "]"
	}
	uri := message.URI{Scheme: "sip", Host: host, Port: int(at.Port())}
	if hop.Transport == "TCP" {
		uri.UriParams.Add("transport", "tcp")
	}
	return uri
}

// live is the open connection of the device that a request in a dialog is for.
func (s *Server) live(req *message.Request) (sip.Target, bool) {
	to, err := message.To(req)
	if err != nil {
		return sip.Target{}, false
	}
	aor, err := db.ParseAOR(to.URI.User+"@"+s.domain.Name, s.domain.Name)
	if err != nil {
		return sip.Target{}, false
	}
	return s.registrar.Live(aor, req.Recipient)
}
