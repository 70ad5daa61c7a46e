package sip

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// swallow takes an address for TCP, where no further connection is accepted or
// refused: the backlog is full. False: somebody else has it.
func swallow(t *testing.T, addr netip.AddrPort) bool {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	if err == syscall.EADDRINUSE {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return true
}

// What swallows connections instead of refusing them is given up early enough for
// the datagram to be answered.
func TestLargeRequestFallsBackWhereTCPIsSwallowed(t *testing.T) {
	by := make(chan string, 4)
	datagrams := func() *Endpoint {
		return start(t, &handler{request: func(tx *ServerTx) { by <- tx.Source().Transport; answer(tx, 200) }},
			func(c *Config) { c.Listen = c.Listen[:1] })
	}
	server := datagrams()
	for !swallow(t, server.Addr("UDP")) {
		server = datagrams()
	}
	client := start(t, &handler{}, func(c *Config) { c.Timers.T1 = 20 * time.Millisecond })
	got := make(chan outcome, 1)
	client.Send(large("MESSAGE"), Target{Transport: "UDP", Addr: server.Addr("UDP")}, collect(got))
	if o := recv(t, got); o.status != 200 {
		t.Fatalf("%+v", o)
	}
	if transport := recv(t, by); transport != "UDP" {
		t.Errorf("came by %s", transport)
	}
}
