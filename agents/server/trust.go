package server

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"presfed/agents/internal/sip"
	"presfed/db"
)

// checkTrust refuses to believe anybody unproven who could be on another host.
func (s *Server) checkTrust(ctx context.Context) error {
	switches := []struct {
		on         bool
		name, what string
	}{
		{s.cfg.NoAuth, "--no-auth", "without authentication"},
		{s.cfg.PeersByAddress, "--peers-by-address", "where servers are known by their addresses"},
	}
	for _, sw := range switches {
		for _, l := range append(slices.Clip(s.cfg.Listen), s.cfg.XCAP) {
			if sw.on && l.Transport != "" && !l.Addr.Addr().IsLoopback() {
				return &InputError{
					What: fmt.Sprintf("%s only loopback addresses are listened on, and %s is none", sw.what, l.Addr),
					Hint: "leave out " + sw.name + ", or listen on 127.0.0.1",
				}
			}
		}
	}
	if !s.cfg.PeersByAddress {
		return nil
	}
	servers, err := s.locate.Servers(ctx)
	for _, server := range servers {
		if !addressOf(server).Addr().IsLoopback() {
			return &InputError{
				What: fmt.Sprintf("where servers are known by their addresses all are on loopback ones, and %s is at %s", server.Name, server.URI),
				Hint: "leave out --peers-by-address, and give each server a certificate",
			}
		}
	}
	return err
}

// peerAt is the server whose address a datagram came from; "" for a client.
func (s *Server) peerAt(ctx context.Context, from sip.Source) (string, error) {
	if from.Transport != "UDP" || !from.Remote.Addr().IsLoopback() {
		return "", nil
	}
	servers, err := s.locate.Servers(ctx)
	for _, server := range servers {
		if server.Name != s.cfg.Name && addressOf(server) == from.Remote {
			return server.Name, nil
		}
	}
	return "", err
}

// addressOf is where a server is; zero where the directory has a host name.
func addressOf(server db.Server) netip.AddrPort {
	host, port := server.HostPort()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}
