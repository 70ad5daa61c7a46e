package trace

import (
	"bytes"
	"iter"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// readHead reads what a message says of itself. It refuses nothing: a trace
// shows the messages that a parser would not have.
func readHead(protocol Protocol, raw []byte) Head {
	var h Head
	start, rest, _ := bytes.Cut(bytes.TrimLeft(raw, "\r\n"), []byte("\n"))
	h.StartLine = strings.TrimSpace(strings.ToValidUTF8(string(start), "\uFFFD"))
	if protocol == MSRP {
		h.readMSRP(rest)
	} else {
		h.readSIP(rest)
	}
	return h
}

func (h *Head) readSIP(rest []byte) {
	first, after, _ := strings.Cut(h.StartLine, " ")
	second, third, _ := strings.Cut(after, " ")
	if strings.HasPrefix(first, "SIP/") {
		h.Status, h.Reason = status(second), strings.TrimSpace(third)
	} else {
		h.Method, h.RequestURI = first, second
	}
	for name, value := range fields(&rest) {
		switch message.Canonical(name) {
		case "Call-ID":
			h.CallID = value
		case "CSeq":
			h.CSeq = strings.Join(strings.Fields(value), " ")
			if _, method, ok := strings.Cut(h.CSeq, " "); ok && h.Status != 0 {
				h.Method = method
			}
		case "Via":
			if h.Branch == "" {
				if via, err := message.ParseVia(firstOf(value)); err == nil {
					h.Branch, _ = via.Params.Get("branch")
				}
			}
		case "From":
			h.FromURI, h.FromTag = party(value)
		case "To":
			h.ToURI, h.ToTag = party(value)
		case "P-Asserted-Identity":
			for _, v := range message.SplitList(value) {
				if uri, _ := party(v); uri != "" {
					h.Asserted = append(h.Asserted, uri)
				}
			}
		}
	}
	// An SDP body, or one among the parts of a multipart body.
	for line := range bytes.Lines(rest) {
		if path, ok := bytes.CutPrefix(line, []byte("a=path:")); ok {
			h.Paths = append(h.Paths, strings.Fields(string(path))...)
		}
	}
}

func (h *Head) readMSRP(rest []byte) {
	// "MSRP a786hjs2 SEND" or "MSRP a786hjs2 200 OK" (RFC 4975 section 9).
	parts := strings.SplitN(h.StartLine, " ", 4)
	if len(parts) < 3 || parts[0] != "MSRP" {
		return
	}
	h.Transaction = parts[1]
	if h.Status = status(parts[2]); h.Status == 0 {
		h.Method = parts[2]
	} else if len(parts) == 4 {
		h.Reason = strings.TrimSpace(parts[3])
	}
	for name, value := range fields(&rest) {
		switch {
		case strings.EqualFold(name, "Message-ID"):
			h.MessageID = value
		case strings.EqualFold(name, "Byte-Range"):
			h.ByteRange = value
		case strings.EqualFold(name, "To-Path"):
			h.ToPath = strings.Fields(value)
		case strings.EqualFold(name, "From-Path"):
			h.FromPath = strings.Fields(value)
		}
	}
}

// fields goes through header fields, folds undone, up to the empty line, and
// leaves the rest behind it.
func fields(rest *[]byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for len(*rest) > 0 {
			line, after, _ := bytes.Cut(*rest, []byte("\n"))
			*rest = after
			line = bytes.TrimRight(line, "\r")
			if len(line) == 0 {
				return
			}
			for len(*rest) > 0 && ((*rest)[0] == ' ' || (*rest)[0] == '\t') {
				fold, after, _ := bytes.Cut(*rest, []byte("\n"))
				*rest = after
				line = append(append(bytes.Clone(line), ' '), bytes.TrimSpace(fold)...)
			}
			name, value, ok := bytes.Cut(line, []byte(":"))
			if ok && !yield(string(bytes.TrimSpace(name)), strings.ToValidUTF8(string(bytes.TrimSpace(value)), "\uFFFD")) {
				return
			}
		}
	}
}

// status is a response's code; 0 is none.
func status(s string) int {
	if n, err := strconv.Atoi(s); err == nil && len(s) == 3 && n >= 0 {
		return n
	}
	return 0
}

func party(value string) (uri, tag string) {
	a, err := message.ParseAddress(value)
	if err != nil {
		return "", ""
	}
	return a.URI.String(), a.Tag()
}

func firstOf(list string) string {
	if values := message.SplitList(list); len(values) > 0 {
		return values[0]
	}
	return ""
}
