package msrp

import (
	"strconv"
	"strings"
)

// Flag ends a frame and says what comes after it.
type Flag byte

// The flags of an end-line, RFC 4975 section 7.1.
const (
	Last  Flag = '$' // the message ends with this chunk
	More  Flag = '+' // the message goes on in another chunk
	Abort Flag = '#' // the message is given up
)

// Header is one header field.
type Header struct{ Name, Value string }

// Headers are the fields of a frame in their order on the wire.
type Headers []Header

// Get is the value of the first field of that name, compared without case.
func (h Headers) Get(name string) (string, bool) {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Count is the number of fields of that name.
func (h Headers) Count(name string) (n int) {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			n++
		}
	}
	return n
}

// Frame is the head of a request or a response: all but body and end-line.
type Frame struct {
	Transaction string
	Method      string // of a request; empty in a response
	Status      int    // of a response; 0 in a request
	Comment     string // of a response
	Headers     Headers
	// HasBody: an empty line follows the header fields, and then a body, empty
	// perhaps. A frame without a body is another thing (RFC 4975 section 7.1).
	HasBody bool
	// Problem is set by a Reader that could frame what it could not
	// understand: Headers then end at the line at fault, and what follows is
	// read as a body.
	Problem error
}

// IsResponse tells a response from a request.
func (f *Frame) IsResponse() bool { return f.Method == "" }

// AppendHead writes start line, header fields and, before a body, the empty
// line. It trusts the frame's content.
func (f *Frame) AppendHead(b []byte) []byte {
	b = append(b, "MSRP "...)
	b = append(b, f.Transaction...)
	b = append(b, ' ')
	if f.IsResponse() {
		b = strconv.AppendInt(b, int64(f.Status), 10)
		if f.Comment != "" {
			b = append(b, ' ')
			b = append(b, f.Comment...)
		}
	} else {
		b = append(b, f.Method...)
	}
	b = append(b, "\r\n"...)
	for _, h := range f.Headers {
		b = append(b, h.Name...)
		b = append(b, ": "...)
		b = append(b, h.Value...)
		b = append(b, "\r\n"...)
	}
	if f.HasBody {
		b = append(b, "\r\n"...)
	}
	return b
}

// AppendEnd writes the end-line and, behind a body, the CRLF before it.
func (f *Frame) AppendEnd(b []byte, flag Flag) []byte {
	if f.HasBody {
		b = append(b, "\r\n"...)
	}
	b = append(b, endMark...)
	b = append(b, f.Transaction...)
	b = append(b, byte(flag))
	return append(b, "\r\n"...)
}

// Append writes a whole frame; body is left out of one that has none.
func (f *Frame) Append(b, body []byte, flag Flag) []byte {
	b = f.AppendHead(b)
	if f.HasBody {
		b = append(b, body...)
	}
	return f.AppendEnd(b, flag)
}

// endMark opens every end-line.
const endMark = "-------"
