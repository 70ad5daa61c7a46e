package bed

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"time"

	"presfed/agents/internal/clock"
	"presfed/routing"
)

// Options say how a bed is built; the zero value is a bed of its own that leaves
// nothing behind.
type Options struct {
	Topology Topology      // who takes part; zero: the participants of the draft
	Model    routing.Model // with a zero Topology: of which of the draft's flows; empty: partitioned
	// Dir is where directory, certificates and states go, and stay; empty: a new
	// folder that goes with the bed.
	Dir string
	// Subnet holds the participants' addresses; zero: a /24 of 127.0.0.0/8, picked
	// at random.
	Subnet netip.Prefix
	// Ports puts everyone on 127.0.0.1, on free ports. It is the default where
	// only that address is a loopback one.
	Ports bool
	// Synchronised has the servers keep copies of the directory.
	Synchronised bool
	// ShareLinger is as in [server.Config]; not of processes.
	ShareLinger time.Duration
	// KeyLog is where TLS session secrets are appended (SSLKEYLOGFILE); empty:
	// nowhere.
	KeyLog string
	// Meddle, if not nil, stands on every SIP connection between participants. It
	// needs addresses of its own: not with Ports.
	Meddle Meddler
	Clock  clock.Clock
	Log    *slog.Logger
}

// The standard ports, where everybody has an address of his own.
const (
	portSIP  uint16 = 5060
	portTLS  uint16 = 5061
	portMSRP uint16 = 2855
)

func (o *Options) complete() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Topology.Domain == "" {
		var err error
		if o.Topology, err = draft(cmp.Or(o.Model, routing.Partitioned)); err != nil {
			return err
		}
	} else if o.Topology.Subnet == "" && !o.Subnet.IsValid() {
		o.Ports = true
	}
	if o.Topology.Subnet != "" && !o.Subnet.IsValid() && !o.Ports {
		o.Subnet, _ = o.Topology.subnet() // it was checked when it was read
	}
	if runtime.GOOS != "linux" && !o.Subnet.IsValid() {
		o.Ports = true
	}
	if o.Ports && o.Meddle != nil {
		return errors.New("a relay cannot tell devices apart that share an address")
	}
	if o.Ports {
		return nil
	}
	if !o.Subnet.IsValid() {
		o.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(254)), byte(rand.IntN(256)), 0}), 24)
	}
	return checkSubnet(o.Subnet)
}

func checkSubnet(p netip.Prefix) error {
	switch {
	case !p.Addr().Is4() || p.Bits() > 24:
		return fmt.Errorf("subnet %s: want an IPv4 /24 or more", p)
	case !p.Addr().IsLoopback():
		return fmt.Errorf("subnet %s: want one within 127.0.0.0/8", p)
	}
	return nil
}

// addr is a participant's own address, and port or 0.
func (o *Options) addr(host byte, port uint16) netip.AddrPort {
	if o.Ports {
		return netip.MustParseAddrPort("127.0.0.1:0")
	}
	four := o.Subnet.Masked().Addr().As4()
	four[3] = host
	return netip.AddrPortFrom(netip.AddrFrom4(four), port)
}

// link is where a server listens for the other one: the directory says so before
// either of them runs.
func (o *Options) link(host byte) (netip.AddrPort, error) {
	at := o.addr(host, portTLS)
	if at.Port() != 0 {
		return at, nil
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return at, err
	}
	at = l.Addr().(*net.TCPAddr).AddrPort()
	return at, l.Close()
}
