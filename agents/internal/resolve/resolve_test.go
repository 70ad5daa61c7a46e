package resolve

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"presfed/agents/internal/message"
)

// zone serves records on a loopback socket and is asked through real queries.
func zone(t *testing.T, records ...string) DNS {
	t.Helper()
	byName := map[string][]dns.RR{}
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		byName[rr.Header().Name] = append(byName[rr.Header().Name], rr)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, rr := range byName[q.Question[0].Name] {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		if len(byName[q.Question[0].Name]) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		w.WriteMsg(m)
	})}
	go srv.ActivateAndServe()
	t.Cleanup(func() { srv.Shutdown() })
	addr := conn.LocalAddr().String()
	return DNS{Server: addr, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", addr)
	}}}
}

func TestURI(t *testing.T) {
	d := zone(t,
		`naptr.test. NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.naptr.test.`,
		`naptr.test. NAPTR 20 50 "s" "SIP+D2U" "" _sip._udp.naptr.test.`,
		`naptr.test. NAPTR 5 50 "s" "SIPS+D2T" "" _sips._tcp.naptr.test.`,
		`_sip._tcp.naptr.test. SRV 2 1 5070 b.naptr.test.`,
		`_sip._tcp.naptr.test. SRV 1 1 5080 a.naptr.test.`,
		`_sip._udp.naptr.test. SRV 1 1 5090 a.naptr.test.`,
		`_sips._tcp.naptr.test. SRV 1 1 5061 a.naptr.test.`,
		`a.naptr.test. A 192.0.2.1`,
		`b.naptr.test. A 192.0.2.2`,
		`b.naptr.test. AAAA 2001:db8::2`,
		`plain.test. A 192.0.2.9`,
	)
	tests := []struct {
		uri        string
		transports []string
		want       []string
	}{
		{"sip:192.0.2.7", nil, []string{"UDP 192.0.2.7:5060"}},
		{"sip:[2001:db8::7];transport=tcp", nil, []string{"TCP [2001:db8::7]:5060"}},
		{"sips:192.0.2.7", nil, []string{"TLS 192.0.2.7:5061"}},
		{"sip:plain.test:5099;transport=tls", nil, []string{"TLS 192.0.2.9:5099"}},
		{"sip:plain.test", nil, []string{"UDP 192.0.2.9:5060"}},
		{"sip:plain.test", []string{"TCP", "TLS"}, []string{"TCP 192.0.2.9:5060"}},
		{"sip:naptr.test", []string{"TCP", "UDP"}, []string{"TCP 192.0.2.1:5080", "TCP 192.0.2.2:5070", "TCP [2001:db8::2]:5070", "UDP 192.0.2.1:5090"}},
		{"sips:naptr.test", nil, []string{"TLS 192.0.2.1:5061"}},
		{"sip:naptr.test;transport=udp", nil, []string{"UDP 192.0.2.1:5090"}},
	}
	for _, tt := range tests {
		u, err := message.ParseURI(tt.uri)
		if err != nil {
			t.Fatal(err)
		}
		r := Resolver{Lookup: d, Transports: tt.transports}
		list, err := r.URI(t.Context(), u)
		if err != nil {
			t.Errorf("%s: %v", tt.uri, err)
		}
		var got []string
		for _, c := range list {
			got = append(got, c.Transport+" "+c.Addr.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s gives %q, want %q", tt.uri, got, tt.want)
		}
	}
	for _, bad := range []string{"sip:missing.test", "sip:h;transport=sctp", "sips:h;transport=udp"} {
		u, _ := message.ParseURI(bad)
		if list, err := (&Resolver{Lookup: d}).URI(t.Context(), u); !errors.Is(err, ErrNoAddress) {
			t.Errorf("%s gives %v, %v", bad, list, err)
		}
	}
}

func TestWeights(t *testing.T) {
	first := map[string]int{}
	for range 4000 {
		first[shuffle([]SRV{{1, 1, "light", 1}, {1, 9, "heavy", 1}, {2, 100, "later", 1}})[0].Host]++
	}
	if first["later"] != 0 || first["heavy"] < 2*first["light"] || first["light"] == 0 {
		t.Errorf("%v", first)
	}
}

func TestTargetsAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"host": "sip:host", "host:5070": "sip:host:5070", "tls:host:5061": "sip:host:5061;transport=tls",
		"sip:host;transport=tcp": "sip:host;transport=tcp", "127.0.0.1": "sip:127.0.0.1",
	} {
		if u, err := Target(in); err != nil || u.String() != want {
			t.Errorf("%s: %s, %v", in, u.String(), err)
		}
	}
	for in, want := range map[string]string{
		"bob": "sip:bob@example.com", "bob@b.test": "sip:bob@b.test", "sip:bob@b.test;transport=tcp": "sip:bob@b.test;transport=tcp",
	} {
		if u, err := User(in, "example.com"); err != nil || u.String() != want {
			t.Errorf("%s: %s, %v", in, u.String(), err)
		}
	}
	for _, bad := range []string{"", "a b", "host/x"} {
		if _, err := Target(bad); err == nil {
			t.Errorf("%q is taken for a server", bad)
		}
	}
	if _, err := User("bob", ""); err == nil {
		t.Error("a bare name without a domain")
	}
}
