// Package resolve turns a SIP URI into the addresses to try, in order (RFC
// 3263).
package resolve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

// Candidate is one address to try.
type Candidate struct {
	Transport string // UDP, TCP, TLS
	Addr      netip.AddrPort
	Host      string // the name asked for: what a certificate must prove
}

// SRV is a service record.
type SRV struct {
	Priority, Weight uint16
	Host             string
	Port             uint16
}

// NAPTR is a naming authority pointer with the fields RFC 3263 uses.
type NAPTR struct {
	Order, Preference    uint16
	Service, Replacement string
}

// Lookup asks the DNS. No records is no error.
type Lookup interface {
	NAPTR(ctx context.Context, domain string) ([]NAPTR, error)
	SRV(ctx context.Context, name string) ([]SRV, error)
	Addresses(ctx context.Context, host string) ([]netip.Addr, error)
}

// ErrNoAddress: there is nothing to try.
var ErrNoAddress = errors.New("no address")

// errNoService: a domain states that it does not offer a service.
var errNoService = fmt.Errorf("%w: the service is not offered", ErrNoAddress)

// most bounds how many candidates one name may bring.
const most = 32

// services of RFC 3263 section 4.1 and their transports, in our order of liking
// where a domain states none.
var services = []struct{ naptr, srv, transport string }{
	{"SIPS+D2T", "_sips._tcp.", "TLS"},
	{"SIP+D2T", "_sip._tcp.", "TCP"},
	{"SIP+D2U", "_sip._udp.", "UDP"},
}

// Resolver answers with what Lookup knows.
type Resolver struct {
	Lookup Lookup
	// Transports that we speak; empty: all.
	Transports []string
}

// URI is the list of candidates for a request to u (RFC 3263 section 4). An
// error wraps ErrNoAddress or is the DNS's.
func (r *Resolver) URI(ctx context.Context, u message.URI) ([]Candidate, error) {
	secure := u.Scheme == "sips"
	transport := ""
	if v, ok := message.URIParam(u, "transport"); ok {
		transport = strings.ToUpper(v)
		if secure && transport == "TCP" { // RFC 3261 section 26.2.2
			transport = "TLS"
		}
		if secure && transport != "TLS" || !slices.Contains([]string{"UDP", "TCP", "TLS"}, transport) {
			return nil, fmt.Errorf("%w: no transport %s for %s", ErrNoAddress, v, u.String())
		}
	}
	if !r.speaks(transport) {
		return nil, fmt.Errorf("%w: %s is not spoken here", ErrNoAddress, transport)
	}
	host := strings.Trim(u.Host, "[]")
	if maddr, ok := message.URIParam(u, "maddr"); ok && maddr != "" {
		host = strings.Trim(maddr, "[]")
	}
	ip, err := netip.ParseAddr(host)
	if numeric := err == nil; numeric || u.Port != 0 {
		if transport == "" {
			transport = r.usual(secure)
		}
		if numeric {
			return []Candidate{{transport, netip.AddrPortFrom(ip.Unmap(), port(u.Port, transport)), host}}, nil
		}
		return r.addresses(ctx, host, port(u.Port, transport), transport, host)
	}
	if transport != "" {
		for _, s := range services {
			if s.transport == transport {
				return r.service(ctx, s.srv+host, transport, host)
			}
		}
	}
	return r.discover(ctx, host, secure)
}

// discover selects the transport by the domain's own records (section 4.1).
func (r *Resolver) discover(ctx context.Context, host string, secure bool) ([]Candidate, error) {
	pointers, err := r.Lookup.NAPTR(ctx, host)
	if err != nil {
		pointers = nil // many resolvers answer NAPTR badly: SRV may still do
	}
	slices.SortStableFunc(pointers, func(a, b NAPTR) int {
		if a.Order != b.Order {
			return int(a.Order) - int(b.Order)
		}
		return int(a.Preference) - int(b.Preference)
	})
	var out []Candidate
	for _, p := range pointers[:min(len(pointers), most)] {
		for _, s := range services {
			if !strings.EqualFold(p.Service, s.naptr) || secure && s.transport != "TLS" || !r.speaks(s.transport) {
				continue
			}
			records, err := r.srv(ctx, p.Replacement, s.transport, host)
			if err != nil && !errors.Is(err, errNoService) {
				return nil, err
			}
			out = append(out, records...)
		}
	}
	if len(out) > 0 {
		return out[:min(len(out), most)], nil
	}
	var declined error
	for _, s := range services {
		if secure && s.transport != "TLS" || !r.speaks(s.transport) {
			continue
		}
		records, err := r.srv(ctx, s.srv+host, s.transport, host)
		if errors.Is(err, errNoService) {
			declined = err
		} else if err != nil {
			return nil, err
		}
		out = append(out, records...)
	}
	switch {
	case len(out) > 0:
		return out[:min(len(out), most)], nil
	case declined != nil:
		return nil, declined
	}
	transport := r.usual(secure)
	return r.addresses(ctx, host, port(0, transport), transport, host)
}

// service resolves one SRV name, or the host itself where there is none
// (section 4.2).
func (r *Resolver) service(ctx context.Context, name, transport, host string) ([]Candidate, error) {
	out, err := r.srv(ctx, name, transport, host)
	if err != nil || len(out) > 0 {
		return out, err
	}
	return r.addresses(ctx, host, port(0, transport), transport, host)
}

func (r *Resolver) srv(ctx context.Context, name, transport, host string) ([]Candidate, error) {
	records, err := r.Lookup.SRV(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("SRV %s: %w", name, err)
	}
	if len(records) == 1 && records[0].Host == "." { // RFC 2782
		return nil, fmt.Errorf("%s: %w", name, errNoService)
	}
	var out []Candidate
	for _, rec := range shuffle(records) {
		if rec.Host == "." || len(out) >= most {
			continue
		}
		// RFC 5922 section 4: the name to prove is the one asked for, not the SRV's.
		found, err := r.addresses(ctx, strings.TrimSuffix(rec.Host, "."), rec.Port, transport, host)
		if err != nil {
			continue
		}
		out = append(out, found...)
	}
	return out, nil
}

func (r *Resolver) addresses(ctx context.Context, name string, port uint16, transport, prove string) ([]Candidate, error) {
	ips, err := r.Lookup.Addresses(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%w for %s: %w", ErrNoAddress, name, err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%w for %s", ErrNoAddress, name)
	}
	out := make([]Candidate, 0, len(ips))
	for _, ip := range ips[:min(len(ips), most)] {
		out = append(out, Candidate{transport, netip.AddrPortFrom(ip.Unmap(), port), prove})
	}
	return out, nil
}

// shuffle orders by priority, and by chance in proportion to weight within one
// (RFC 2782).
func shuffle(records []SRV) []SRV {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b SRV) int { return int(a.Priority) - int(b.Priority) })
	for i := range records {
		same, total := i, 0
		for ; same < len(records) && records[same].Priority == records[i].Priority; same++ {
			total += int(records[same].Weight)
		}
		pick := rand.IntN(total + 1)
		for j := i; j < same; j++ {
			if pick -= int(records[j].Weight); pick <= 0 {
				records[i], records[j] = records[j], records[i]
				break
			}
		}
	}
	return records
}

func (r *Resolver) speaks(transport string) bool {
	return transport == "" || len(r.Transports) == 0 || slices.Contains(r.Transports, transport)
}

// usual is the transport where nothing names one (section 4.1).
func (r *Resolver) usual(secure bool) string {
	switch {
	case secure:
		return "TLS"
	case r.speaks("UDP"):
		return "UDP"
	case r.speaks("TCP"):
		return "TCP"
	}
	return "TLS"
}

func port(given int, transport string) uint16 {
	switch {
	case given != 0:
		return uint16(given)
	case transport == "TLS":
		return 5061
	}
	return 5060
}

// Literal says that a URI needs no look-up: its host is an address.
func Literal(u message.URI) bool {
	_, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	return err == nil
}
