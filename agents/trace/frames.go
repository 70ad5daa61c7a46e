package trace

import (
	"bytes"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// maxFrame bounds a message in a capture; what is longer is not one.
const maxFrame = 16 << 20

// framer cuts the bytes of one direction of a connection into messages.
type framer struct {
	buf     []byte
	scanned int  // so much of buf is known to hold no message's end
	foreign bool // neither SIP nor MSRP, or encrypted: the rest is not looked at
}

// frame is one whole message.
type frame struct {
	protocol Protocol
	raw      []byte
}

// add takes the next bytes and returns the messages that are complete with
// them.
func (f *framer) add(data []byte) []frame {
	if f.foreign {
		return nil
	}
	f.buf = append(f.buf, data...)
	var out []frame
	for {
		// Keepalives between messages (RFC 5626 section 4.4.1).
		if f.scanned == 0 {
			f.buf = bytes.TrimLeft(f.buf, "\r\n")
		}
		protocol, n, scanned := frameLength(f.buf, f.scanned)
		f.scanned = scanned
		switch {
		case n > 0:
			out = append(out, frame{protocol, bytes.Clone(f.buf[:n])})
			f.buf = f.buf[n:]
		case n < 0 || len(f.buf) > maxFrame:
			f.foreign, f.buf = true, nil
			return out
		default:
			return out
		}
	}
}

// frameLength is the length of the message that buf begins with: 0 if it is not
// all there yet, -1 if it is none. Its end is looked for behind what was
// scanned before; with 0 comes how far that is.
func frameLength(buf []byte, scanned int) (protocol Protocol, n, to int) {
	if msrp := []byte("MSRP "); bytes.HasPrefix(buf, msrp) {
		n, to = msrpLength(buf, scanned)
		return MSRP, n, to
	} else if len(buf) < len(msrp) && bytes.HasPrefix(msrp, buf) {
		return "", 0, 0
	}
	n, to = sipLength(buf, scanned)
	return SIP, n, to
}

// maxStartLine is as long as a start line may be before it is taken for
// something else.
const maxStartLine = 8 << 10

func sipLength(buf []byte, scanned int) (n, to int) {
	line, rest, whole := bytes.Cut(buf, []byte("\n"))
	if !whole {
		if len(line) > maxStartLine || !isText(line) {
			return -1, 0
		}
		return 0, 0
	}
	line = bytes.TrimRight(line, "\r")
	if !isText(line) || !bytes.HasPrefix(line, []byte("SIP/2.0 ")) && !bytes.HasSuffix(line, []byte(" SIP/2.0")) {
		return -1, 0
	}
	end := indexFrom(buf, scanned, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, max(0, len(buf)-3)
	}
	body := 0
	for name, value := range fields(&rest) {
		if message.Canonical(name) != "Content-Length" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 || n > maxFrame {
			return -1, 0
		}
		body = n
	}
	if total := end + 4 + body; total <= len(buf) {
		return total, 0
	}
	// The fields' end is found again when the body is there.
	return 0, end
}

// msrpLength looks for the end-line: seven hyphens, the transaction, a flag
// (RFC 4975 section 7.1).
func msrpLength(buf []byte, scanned int) (n, to int) {
	line, _, whole := bytes.Cut(buf, []byte("\r\n"))
	if !whole {
		if len(line) > maxStartLine {
			return -1, 0
		}
		return 0, 0
	}
	parts := bytes.SplitN(line, []byte(" "), 3)
	if len(parts) < 3 || len(parts[1]) == 0 {
		return -1, 0
	}
	mark := append([]byte("\r\n-------"), parts[1]...)
	for at := max(len(line), scanned); ; at++ {
		if at = indexFrom(buf, at, mark); at < 0 {
			return 0, max(len(line), len(buf)-len(mark)-2)
		}
		flag := at + len(mark)
		if len(buf) < flag+3 {
			return 0, at
		}
		if bytes.IndexByte([]byte("$+#"), buf[flag]) >= 0 && buf[flag+1] == '\r' && buf[flag+2] == '\n' {
			return flag + 3, 0
		}
	}
}

// indexFrom is bytes.Index behind from.
func indexFrom(buf []byte, from int, sep []byte) int {
	if from > len(buf) {
		return -1
	}
	i := bytes.Index(buf[from:], sep)
	if i < 0 {
		return -1
	}
	return from + i
}

func isText(line []byte) bool {
	return !bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' })
}
