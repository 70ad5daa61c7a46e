package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// errOurselves: a next hop is this server.
var errOurselves = errors.New("the next hop is this server itself")

// hops finds where a next hop is (RFC 3263): a server of the domain where the
// directory says, anything else by the DNS, apart from the caller.
func (s *Server) hops(next message.URI, done func([]sip.Target, error)) {
	peer, ok := s.serverAt(context.Background(), next)
	s.way(next, peer, ok, done)
}

// way is hops where it is known what server serverAt says next is.
func (s *Server) way(next message.URI, peer db.Server, ok bool, done func([]sip.Target, error)) {
	ctx := context.Background()
	if s.listens(next) || ok && peer.Name == s.cfg.Name { // a device there would be ourselves, and asked for a password
		done(nil, errOurselves)
		return
	}
	if ok {
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
	ask := func(ctx context.Context) {
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
	// Nobody is asked; but maddr may be a name (RFC 3261 section 19.1.1).
	if _, elsewhere := message.URIParam(uri, "maddr"); resolve.Literal(uri) && !elsewhere {
		ask(ctx)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
		defer cancel()
		ask(ctx)
	}()
}

// serverAt is the server that a URI without a user, or in server form, names. Its
// address with another port is somebody else's on that host, such as a device.
func (s *Server) serverAt(ctx context.Context, uri message.URI) (db.Server, bool) {
	names, err := s.locate.Names(ctx)
	if err != nil {
		return db.Server{}, false
	}
	name := names.ServerAt(uri.Host, uri.Port)
	if name == "" {
		return db.Server{}, false
	}
	server, err := s.locate.Server(ctx, name)
	if err != nil {
		return db.Server{}, false
	}
	_, port := server.HostPort()
	return server, uri.Port == 0 || uri.Port == port || !resolve.Literal(uri)
}

// own says whether a URI names this server: its host name, or an address it
// listens on.
func (s *Server) own(uri message.URI) bool {
	if s.listens(uri) {
		return true
	}
	server, ok := s.serverAt(context.Background(), uri)
	return ok && server.Name == s.cfg.Name
}

// listens says whether a URI is an address that we listen on.
func (s *Server) listens(uri message.URI) bool {
	host, err := netip.ParseAddr(strings.Trim(uri.Host, "[]"))
	if err != nil {
		return false
	}
	port := uri.Port
	if port == 0 { // RFC 3261 section 19.1.2
		port = 5060
		if transport, _ := message.URIParam(uri, "transport"); uri.Scheme == "sips" || strings.EqualFold(transport, "tls") {
			port = 5061
		}
	}
	return s.endpoint.ListensAt(port, func(at netip.Addr) bool {
		return host == at || at.IsUnspecified() && onThisHost(host)
	})
}

func onThisHost(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	all, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(addr.AsSlice())
	})
}

// domains says that a URI's host is the domain itself.
func (s *Server) domains(uri message.URI) bool { return routing.Host(uri.Host) == s.domain.Name }

// ours says that a URI leads to a server of the domain, this or another.
func (s *Server) ours(uri message.URI) bool {
	_, server := s.serverAt(context.Background(), uri)
	return server && (uri.Port != 0 || !resolve.Literal(uri)) || s.domains(uri) || s.listens(uri)
}

// leadsAway is a Route of a client's request outside any dialog that does not
// name us. RFC 3261 section 16.6 step 6 would have it followed; we carry clients
// to users of the domain only.
func (s *Server) leadsAway(tx *sip.ServerTx) (away string) {
	req := tx.Request()
	routes := message.Values(req, "Route")
	if _, lr := message.URIParam(req.Recipient, "lr"); lr && len(routes) > 0 && s.own(req.Recipient) {
		routes = routes[:len(routes)-1] // a strict router's: the last one is the target (section 16.4)
	}
	for _, route := range routes {
		a, err := message.ParseAddress(route)
		if err != nil || s.own(a.URI) || s.domains(a.URI) {
			continue // what cannot be read is 400 later
		}
		if peer, err := s.peer(context.Background(), tx.Source()); err == nil && peer == "" {
			return a.URI.Host
		}
	}
	return ""
}

// recordRoute is how a side reaches us: on TLS by host name (RFC 5922 section
// 7.5), else at the address we listen on for it.
func (s *Server) recordRoute(side sip.Source) message.URI {
	if side.Transport == "TLS" {
		return message.URI{Scheme: "sip", Host: s.self.Identity}
	}
	at := s.endpoint.Reached(side)
	host := at.Addr().WithZone("").String() // a zone is the sender's own matter
	if at.Addr().Is6() {
		host = "[" + host + "]"
	}
	uri := message.URI{Scheme: "sip", Host: host, Port: int(at.Port())}
	if side.Transport == "TCP" {
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
