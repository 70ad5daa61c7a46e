package resolve

import (
	"context"
	"errors"
	"fmt"
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
	ln, conn := samePort(t)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, rr := range byName[q.Question[0].Name] {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		if len(byName[q.Question[0].Name]) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		if w.RemoteAddr().Network() == "udp" {
			m.Truncate(dns.MinMsgSize)
		}
		w.WriteMsg(m)
	})
	for _, srv := range []*dns.Server{{PacketConn: conn, Handler: handler}, {Listener: ln, Handler: handler}} {
		go srv.ActivateAndServe()
		t.Cleanup(func() { srv.Shutdown() })
	}
	addr := conn.LocalAddr().String()
	return DNS{Server: addr, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
}

// samePort listens for TCP and UDP at one free port.
func samePort(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	var err error
	for range 10 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			continue
		}
		var conn net.PacketConn
		if conn, err = net.ListenPacket("udp", ln.Addr().String()); err == nil {
			return ln, conn
		}
		ln.Close()
	}
	t.Fatal(err)
	return nil, nil
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
		`_sip._tcp.none.test. SRV 0 0 0 .`,
		`none.test. A 192.0.2.9`,
		`_sip._tcp.gone.test. SRV 1 1 5060 missing.test.`,
		`_sip._tcp.gone.test. SRV 2 1 5070 a.naptr.test.`,
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
		{"sip:gone.test;transport=tcp", nil, []string{"TCP 192.0.2.1:5070"}},
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
	for _, bad := range []string{"sip:missing.test", "sip:none.test;transport=tcp", "sip:none.test", "sip:h;transport=sctp", "sips:h;transport=udp"} {
		u, _ := message.ParseURI(bad)
		if list, err := (&Resolver{Lookup: d}).URI(t.Context(), u); !errors.Is(err, ErrNoAddress) {
			t.Errorf("%s gives %v, %v", bad, list, err)
		}
	}
}

// What does not fit a datagram is asked for again by TCP.
func TestManyPointers(t *testing.T) {
	records := []string{`_sip._tcp.many.test. SRV 1 1 5070 a.many.test.`, `a.many.test. A 192.0.2.1`}
	for i := range 40 {
		records = append(records, fmt.Sprintf(`many.test. NAPTR %d 50 "s" "X-OTHER+D2T" "" _other%d._tcp.many.test.`, i, i))
	}
	records = append(records, `many.test. NAPTR 0 1 "s" "SIP+D2T" "" _sip._tcp.many.test.`)
	d := zone(t, records...)
	pointers, err := d.NAPTR(t.Context(), "many.test")
	if err != nil || len(pointers) != 41 {
		t.Fatalf("%d pointers, %v", len(pointers), err)
	}
	u, _ := message.ParseURI("sip:many.test")
	list, err := (&Resolver{Lookup: d}).URI(t.Context(), u)
	if err != nil || len(list) != 1 || list[0].Addr.String() != "192.0.2.1:5070" {
		t.Errorf("%v, %v", list, err)
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
