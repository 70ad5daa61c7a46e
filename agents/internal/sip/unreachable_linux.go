package sip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
)

// hearICMP has the kernel keep the ICMP errors to what a socket sent.
func hearICMP(conn *net.UDPConn, four bool) error {
	level, option := syscall.IPPROTO_IP, syscall.IP_RECVERR
	if !four {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), level, option, 1) }); err != nil {
		return err
	}
	return set
}

// icmp4 and icmp6 are origins of an error in struct sock_extended_err (IPv4,
// IPv6).
const icmp4, icmp6 = 2, 3

// unreachable takes from the kernel whom datagrams could not be brought to.
func unreachable(conn *net.UDPConn) (peers []netip.AddrPort) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		oob := make([]byte, 512)
		for {
			_, n, _, to, err := syscall.Recvmsg(int(fd), nil, oob, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if peer := addrOf(to); peer.IsValid() && final(oob[:n]) {
				peers = append(peers, peer)
			}
		}
	})
	return peers
}

func addrOf(to syscall.Sockaddr) netip.AddrPort {
	switch to := to.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(to.Addr), uint16(to.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(to.Addr).Unmap(), uint16(to.Port))
	}
	return netip.AddrPort{}
}

// final tells the errors that RFC 3261 section 18.4 has the sender told from
// those, as of size or of hops, that it does not.
func final(oob []byte) bool {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for _, m := range messages {
		if len(m.Data) < 16 || m.Data[4] != icmp4 && m.Data[4] != icmp6 {
			continue
		}
		switch syscall.Errno(binary.NativeEndian.Uint32(m.Data)) {
		case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENOPROTOOPT:
			return true
		}
	}
	return false
}
