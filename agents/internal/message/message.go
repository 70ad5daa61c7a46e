// Package message is a SIP message as a value: read, checked, changed and
// written (RFC 3261 section 7).
//
// URIs are sipgo's. Every header field is kept as it came, in order: sipgo's typed
// headers drop header parameters and quoting that a proxy must pass on. The typed
// views here (Address, Via, CSeq) are read from those fields when they are needed.
package message

import (
	"strconv"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
)

// URI is a SIP or SIPS URI (RFC 3261 section 19.1); other schemes are kept raw.
type URI = sipgo.Uri

// Message is a request or a response.
type Message interface {
	// Body is what follows the fields. It must not be written to.
	Body() []byte
	held() *content
}

// Request is a start line with a method and a Request-URI, fields, a body.
type Request struct {
	Method    string
	Recipient URI
	content
}

// Response is a start line with a status, fields, a body.
type Response struct {
	StatusCode int
	Reason     string
	content
}

// content is what requests and responses have alike. The list of fields is a
// message's own; the fields never change, and copies share them.
type content struct {
	fields []*field
	body   []byte
}

// Body is what follows the fields.
func (c *content) Body() []byte   { return c.body }
func (c *content) held() *content { return c }

// room is how many fields more than it came with a message gets on its way.
const room = 4

// The methods in use.
const (
	INVITE    = "INVITE"
	ACK       = "ACK"
	CANCEL    = "CANCEL"
	BYE       = "BYE"
	REGISTER  = "REGISTER"
	OPTIONS   = "OPTIONS"
	SUBSCRIBE = "SUBSCRIBE"
	NOTIFY    = "NOTIFY"
	MESSAGE   = "MESSAGE"
	PRACK     = "PRACK"
	UPDATE    = "UPDATE"
	PUBLISH   = "PUBLISH"
	INFO      = "INFO"
	REFER     = "REFER"
)

// Unserved is what answers a method that is not served: 405 where it is one of SIP's,
// 501 where it is not recognised (RFC 3261 sections 21.4.6, 21.5.2). Allow goes
// with either.
func Unserved(method string) int {
	switch method {
	case INVITE, ACK, CANCEL, BYE, REGISTER, OPTIONS, SUBSCRIBE, NOTIFY, MESSAGE, PRACK, UPDATE, PUBLISH, INFO, REFER:
		return 405
	}
	return 501
}

// NewRequest is a request without fields. The caller adds them all; Bytes adds
// Content-Length.
func NewRequest(method string, uri URI) *Request { return &Request{Method: method, Recipient: uri} }

// NewResponse answers req (RFC 3261 section 8.2.6): Via, From, To, Call-ID and
// CSeq as they came, Record-Route where a dialog may begin, and toTag in To
// unless To has a tag, the status is 100, or toTag is empty.
func NewResponse(req *Request, status int, reason, toTag string) *Response {
	if reason == "" {
		reason = Reason(status)
	}
	res := &Response{StatusCode: status, Reason: reason}
	res.fields = make([]*field, 0, 8+room)
	for _, f := range req.fields {
		switch f.name {
		case "Via", "From", "Call-ID", "CSeq":
			res.fields = append(res.fields, f)
		case "Timestamp":
			if status == 100 {
				res.fields = append(res.fields, f)
			}
		case "Record-Route":
			if method := req.Method; status > 100 && status < 300 &&
				(method == INVITE || method == SUBSCRIBE || method == NOTIFY || method == REFER) {
				res.fields = append(res.fields, f)
			}
		case "To":
			a, err := addressOf(f)
			if err != nil || status == 100 || toTag == "" || a.Tag() != "" {
				res.fields = append(res.fields, f)
			} else if _, empty := a.Params.Get("tag"); empty {
				Add(res, "To", a.WithTag(toTag).String())
			} else {
				Add(res, "To", f.value+";tag="+toTag) // as it came (RFC 3261 section 8.2.6.2)
			}
		}
	}
	return res
}

// Clone is a copy that shares nothing that changes: fields are values, the body
// is replaced, never written to.
func Clone(req *Request) *Request {
	c := *req
	c.Recipient = *req.Recipient.Clone()
	c.fields = append(make([]*field, 0, len(req.fields)+room), req.fields...)
	return &c
}

// CloneResponse is Clone for a response.
func CloneResponse(res *Response) *Response {
	c := *res
	c.fields = append(make([]*field, 0, len(res.fields)+room), res.fields...)
	return &c
}

// SetBody replaces the body, its Content-Length and, unless contentType is
// empty, its Content-Type.
func SetBody(m Message, contentType string, body []byte) {
	if contentType != "" {
		Set(m, "Content-Type", contentType)
	}
	m.held().body = body
	if length := strconv.Itoa(len(body)); Get(m, "Content-Length") != length {
		Set(m, "Content-Length", length)
	}
}

// Bytes is m as it goes on the wire, Content-Length included.
func Bytes(m Message) []byte {
	if find(m, "Content-Length") == nil {
		SetBody(m, "", m.Body())
	}
	c := m.held()
	size := startSize + 4 + len(c.body)
	for _, f := range c.fields {
		size += len(f.name) + len(f.value) + 4
	}
	b := make([]byte, 0, size)
	switch m := m.(type) {
	case *Request:
		b = append(append(b, m.Method...), ' ')
		b = append(AppendURI(b, m.Recipient), " SIP/2.0\r\n"...)
	case *Response:
		b = append(b, "SIP/2.0 "...)
		b = append(strconv.AppendInt(b, int64(m.StatusCode), 10), ' ')
		b = append(append(b, m.Reason...), "\r\n"...)
	}
	for _, f := range c.fields {
		b = append(append(b, f.name...), ": "...)
		b = append(append(b, f.value...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, c.body...)
}

// startSize is room for most start lines.
const startSize = 160

// Method is the request's method, or the CSeq method of a response.
func Method(m Message) string {
	if req, ok := m.(*Request); ok {
		return req.Method
	}
	cseq, _ := CSeqOf(m)
	return cseq.Method
}

// CSeq is a sequence number and its method (RFC 3261 section 20.16).
type CSeq struct {
	Seq    uint32
	Method string
}

// String is the field's value.
func (c CSeq) String() string { return strconv.FormatUint(uint64(c.Seq), 10) + " " + c.Method }

// CSeqOf reads m's CSeq; an error says what is wrong with it.
func CSeqOf(m Message) (CSeq, error) { return ParseCSeq(Get(m, "CSeq")) }

// ParseCSeq reads a CSeq value; numbers reach 2^31-1 (RFC 3261 section 8.1.1.5).
func ParseCSeq(s string) (CSeq, error) {
	number, method, ok := strings.Cut(strings.ReplaceAll(s, "\t", " "), " ")
	seq, err := strconv.ParseUint(number, 10, 31)
	method = strings.TrimSpace(method)
	if !ok || err != nil || !IsToken(method) {
		return CSeq{}, &ParseError{Status: 400, Where: "CSeq", What: "want a number below 2^31 and a method, have " + strconv.Quote(clip(s))}
	}
	return CSeq{Seq: uint32(seq), Method: method}, nil
}

// CallID is m's Call-ID.
func CallID(m Message) string { return Get(m, "Call-ID") }
