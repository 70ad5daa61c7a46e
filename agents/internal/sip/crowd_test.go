package sip

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// One address does not take every connection there is; another one still gets in.
func TestTooManyConnectionsOfOneAddress(t *testing.T) {
	gone := make(chan Source, 10)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }, closed: func(s Source) { gone <- s }},
		func(c *Config) { c.Limits.Address = 2 })
	served := func(from string) (net.Conn, bool) {
		t.Helper()
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
		c, err := d.Dial("tcp", server.Addr("TCP").String())
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skipf("not tested: this machine has no loopback address %s", from)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, wireRequest("OPTIONS", NewBranch(), "Content-Length: 0\r\n"))
		_, err = readFrame(bufio.NewReader(c), message.DefaultLimits)
		return c, err == nil
	}
	first, one := served("127.0.0.1")
	_, two := served("127.0.0.1")
	_, three := served("127.0.0.1")
	_, other := served("127.0.0.2")
	if !one || !two || three || !other {
		t.Errorf("served %v, %v, %v; from another address %v", one, two, three, other)
	}
	first.Close()
	recv(t, gone)
	if _, again := served("127.0.0.1"); !again {
		t.Error("refused though one has gone")
	}
}

// A connection of which nothing came is ended, be it that empty lines come; one that
// was of use stays, and so does one that goes on asking.
func TestIdleConnections(t *testing.T) {
	const idle = 200 * time.Millisecond
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) { c.Limits.StrangerIdle = idle })
	for _, tt := range []struct {
		name, first, every string
		stays              bool
	}{
		{"a stranger", wireRequest("OPTIONS", NewBranch(), "Content-Length: 0\r\n"), "", false},
		{"with empty lines", "\r\n\r\n", "\r\n\r\n", false},
		{"who goes on asking", "", wireRequest("OPTIONS", "z9hG4bKsame", "Content-Length: 0\r\n"), true},
		{"no stranger", wireRequest("REGISTER", NewBranch(), "Content-Length: 0\r\n"), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := raw(t, server, "tcp")
			io.WriteString(c, tt.first)
			closed := make(chan struct{})
			go func() { defer close(closed); io.Copy(io.Discard, c) }()
			tick := time.NewTicker(idle / 10)
			defer tick.Stop()
			end := time.After(15 * time.Second)
			if tt.stays {
				end = time.After(5 * idle)
			}
			for {
				select {
				case <-closed:
					if tt.stays {
						t.Error("ended")
					}
					return
				case <-end:
					if !tt.stays {
						t.Error("still there")
					}
					return
				case <-tick.C:
					io.WriteString(c, strings.Clone(tt.every))
				}
			}
		})
	}
}

func TestConnectionsFitTheFilesThereAre(t *testing.T) {
	n := mostFiles()
	if n == 0 {
		t.Skip("not known here")
	}
	for _, connections := range []int{0, 1 << 30} { // by default, and wanted
		var log bytes.Buffer
		server := start(t, &handler{}, func(c *Config) {
			c.Limits.Connections, c.Log = connections, slog.New(slog.NewTextHandler(&log, nil))
		})
		if got := server.cfg.Limits.Connections; got >= n {
			t.Errorf("%d connections of %d files", got, n)
		}
		told := strings.Contains(log.String(), "fewer connections")
		if want := connections > 0 || n < DefaultLimits.Connections/2; told != want {
			t.Errorf("%d configured, %d files: said %v, want %v", connections, n, told, want)
		}
	}
}
