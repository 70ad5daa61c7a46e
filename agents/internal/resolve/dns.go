package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// DNS asks the machine's resolver: its hosts file and name servers.
type DNS struct {
	// Server is host:port of the name server for NAPTR; empty: the machine's first.
	Server string
	// Resolver is for SRV and addresses; nil: the machine's.
	Resolver *net.Resolver
}

func (d DNS) resolver() *net.Resolver {
	if d.Resolver != nil {
		return d.Resolver
	}
	return net.DefaultResolver
}

// NAPTR asks for a domain's pointers.
func (d DNS) NAPTR(ctx context.Context, domain string) ([]NAPTR, error) {
	server := d.Server
	if server == "" {
		cfg, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(cfg.Servers) == 0 {
			return nil, err
		}
		server = net.JoinHostPort(cfg.Servers[0], cfg.Port)
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(domain), dns.TypeNAPTR)
	answer, _, err := new(dns.Client).ExchangeContext(ctx, q, server)
	if err == nil && answer.Truncated {
		answer, _, err = (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, q, server)
	}
	if err != nil {
		return nil, err
	}
	var out []NAPTR
	for _, rr := range answer.Answer {
		// RFC 3263 section 4.1: flag s, the replacement is an SRV name.
		if p, ok := rr.(*dns.NAPTR); ok && strings.EqualFold(p.Flags, "s") {
			out = append(out, NAPTR{p.Order, p.Preference, p.Service, p.Replacement})
		}
	}
	return out, nil
}

// SRV asks for the records of a service name.
func (d DNS) SRV(ctx context.Context, name string) ([]SRV, error) {
	_, records, err := d.resolver().LookupSRV(ctx, "", "", name)
	if missing(err) {
		return nil, nil
	}
	var out []SRV
	for _, r := range records {
		out = append(out, SRV{r.Priority, r.Weight, r.Target, r.Port})
	}
	return out, err
}

// Addresses asks for a host's addresses.
func (d DNS) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	ips, err := d.resolver().LookupNetIP(ctx, "ip", host)
	if missing(err) {
		return nil, nil
	}
	return ips, err
}

func missing(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
