package sip

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"presfed/agents/internal/message"
)

// A response goes where its request came from (RFC 3261 section 18.2.2, RFC 3581
// section 4): with rport to the source port, without to the one that Via names.
func TestDatagramResponse(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, nil)
	source := raw(t, server, "udp")
	named, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	port := named.LocalAddr().(*net.UDPAddr).Port
	via := func(host, params string) string {
		s := wireRequest("OPTIONS", "z9hG4bK"+NewTag(), "")
		return strings.Replace(s, "127.0.0.9;rport", host+":"+strconv.Itoa(port)+params, 1)
	}
	for name, tt := range map[string]struct {
		send string
		to   io.Reader
		via  string
	}{
		"rport":                  {via("127.0.0.1", ";rport"), source, ";received=127.0.0.1"},
		"rport, behind a NAT":    {via("192.0.2.1", ";rport"), source, ";received=127.0.0.1"},
		"no rport":               {via("127.0.0.1", ""), packetReader{named}, "127.0.0.1:" + strconv.Itoa(port) + ";branch"},
		"no rport, another host": {via("192.0.2.1", ""), packetReader{named}, ";received=127.0.0.1"},
		"received is not obeyed": {via("127.0.0.1", ";received=192.0.2.1;rport"), source, ";received=127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			io.WriteString(source, tt.send)
			if got := next(t, tt.to); !strings.HasPrefix(got, "SIP/2.0 200 ") || !strings.Contains(got, tt.via) || strings.Contains(got, "received=192") {
				t.Errorf("%s", got)
			}
		})
	}
}

type packetReader struct{ net.PacketConn }

func (p packetReader) Read(b []byte) (int, error) {
	n, _, err := p.ReadFrom(b)
	return n, err
}

// A response whose connection has gone is sent down a new one, to the port of the
// Via (RFC 3261 section 18.2.2).
func TestResponseAfterItsConnectionBroke(t *testing.T) {
	asked, gone := make(chan *ServerTx, 1), make(chan Source, 1)
	server := start(t, &handler{
		request: func(tx *ServerTx) { asked <- tx },
		closed:  func(s Source) { gone <- s },
	}, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := raw(t, server, "tcp")
	io.WriteString(c, strings.Replace(wireRequest("OPTIONS", "z9hG4bKb", "Content-Length: 0\r\n"), "127.0.0.9;", ln.Addr().String()+";", 1))
	tx := recv(t, asked)
	c.Close()
	recv(t, gone)
	if err := tx.Respond(message.NewResponse(tx.Request(), 200, "", "b")); err != nil {
		t.Fatal(err)
	}
	again, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	f, err := readFrame(bufio.NewReader(again), message.DefaultLimits)
	if err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 200 ") {
		t.Errorf("%q, %v", f.raw, err)
	}
}
