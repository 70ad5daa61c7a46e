package figures

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// stormLine is a connection or a UDP socket that users share.
type stormLine struct {
	net.Conn
	transport, contact string
	out                chan []byte // what waits to be written
}

// send gives the line something to write; false where too much waits already.
func (l *stormLine) send(b []byte) bool {
	select {
	case l.out <- b:
		return true
	default:
		return false
	}
}

func (l *stormLine) write() {
	for b := range l.out {
		if _, err := l.Write(b); err != nil && l.transport == "tcp" {
			return
		}
	}
}

func (s *storm) readStream(l *stormLine) {
	r := bufio.NewReaderSize(l, 64<<10)
	var m []byte
	for {
		m = m[:0]
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			m = append(m, line...)
			if len(line) == 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		s.take(l, m)
	}
}

func (s *storm) readDatagrams(l *stormLine) {
	_ = l.Conn.(*net.UDPConn).SetReadBuffer(8 << 20)
	b := make([]byte, 65535)
	for {
		n, err := l.Read(b)
		if err != nil {
			return
		}
		s.take(l, b[:n])
	}
}

const stormBranch = "branch=z9hG4bKst"

// take answers a NOTIFY, and finds whose answer a response is.
func (s *storm) take(l *stormLine, m []byte) {
	now := time.Now()
	if bytes.HasPrefix(m, []byte("NOTIFY ")) {
		var b bytes.Buffer
		b.WriteString("SIP/2.0 200 OK\r\n")
		for line := range bytes.SplitSeq(m, []byte("\r\n")) {
			name, _, _ := bytes.Cut(line, []byte(":"))
			switch string(name) {
			case "Via", "From", "To", "Call-ID", "CSeq":
				b.Write(line)
				b.WriteString("\r\n")
			}
		}
		b.WriteString("Content-Length: 0\r\n\r\n")
		l.send(b.Bytes())
		return
	}
	i := bytes.Index(m, []byte(stormBranch))
	if i < 0 || len(m) < 12 {
		return
	}
	id := uint64(0)
	for _, c := range m[i+len(stormBranch):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	status, _ := strconv.Atoi(string(m[8:11]))
	if status < 200 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.open[id]
	if r == nil {
		return // answered before
	}
	delete(s.open, id)
	if status == 412 { // what was refused came twice, and was taken the second time: anew
		r.user.etag = ""
	}
	if status == 200 && r.publish {
		if _, v, ok := bytes.Cut(m, []byte("SIP-ETag: ")); ok {
			v, _, _ = bytes.Cut(v, []byte("\r\n"))
			r.user.etag = string(v)
		}
	}
	r.phase.answered(status, now.Sub(r.due), bytes.Contains(m, []byte("\r\nRetry-After: ")), r.due)
	s.free = append(s.free, r.user)
	if r.done != nil {
		close(r.done)
	}
}

// request is a REGISTER again, another document, or a look at who she watches.
func (u *stormUser) request(what int, id uint64, publish *bool) []byte {
	method, to, call, more, body := "REGISTER", u.name, u.name+"-register", "Expires: 3600\r\n", ""
	uri := "sip:example.com"
	switch what {
	case 0:
		method, call, uri, *publish = "PUBLISH", fmt.Sprint(u.name, "-", id), "sip:"+u.name+"@example.com", true
		more = "Event: presence\r\nExpires: 3600\r\n"
		if u.etag != "" {
			more += "SIP-If-Match: " + u.etag + "\r\n"
		}
		more += "Content-Type: application/pidf+xml\r\n"
		body = fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com">
<tuple id="pc"><status><basic>open</basic></status><contact priority="0.8">sip:%[1]s@host.example.com</contact><note>version %d</note></tuple>
</presence>
`, u.name, u.seq)
	case 1:
		method, to, call, uri = "SUBSCRIBE", u.watches, fmt.Sprint(u.name, "-", id), "sip:"+u.watches+"@example.com"
		more = "Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 0\r\n"
	}
	return fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=s%[6]d\r\nTo: <sip:%[8]s@example.com>\r\n"+
		"Call-ID: %[9]s\r\nCSeq: %[10]d %[1]s\r\nContact: <sip:%[7]s@%[4]s;transport=%[11]s>\r\n%[12]sContent-Length: %[13]d\r\n\r\n%[14]s",
		method, uri, map[string]string{"tcp": "TCP", "udp": "UDP"}[u.line.transport], u.line.contact, stormBranch, id, u.name, to, call, u.seq, u.line.transport, more, len(body), body)
}
