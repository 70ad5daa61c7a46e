package msrp

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

var errNoWay = errors.New("msrp: request without a path back")

// respond queues the response to a request (RFC 4975 section 7.2).
func (c *conn) respond(f *Frame, code int, text string) error {
	to, _ := f.Headers.Get(headerToPath)
	from, _ := f.Headers.Get(headerFromPath)
	own, _, _ := strings.Cut(to, " ")
	back := from
	if f.Method == MethodSend {
		// To the previous hop only.
		back, _, _ = strings.Cut(from, " ")
	}
	if _, err := ParsePath(back); err != nil {
		return errNoWay
	}
	if _, err := ParseURI(own); err != nil {
		// Whom the request meant cannot be said: the device answers.
		own = c.e.device(c.tls() != nil).String()
	}
	if !isText(text) {
		text = ""
	}
	r := Frame{
		Transaction: f.Transaction, Status: code, Comment: cmp.Or(text, comment(code)),
		Headers: Headers{{headerToPath, back}, {headerFromPath, own}},
	}
	return c.urgent(r.AppendEnd(r.AppendHead(nil), Last))
}

// succeed queues the success REPORT on a whole message (RFC 4975 section
// 7.1.3), to the full path it came by.
func (c *conn) succeed(s *Session, in *reception, f *Frame) error {
	from, _ := f.Headers.Get(headerFromPath)
	r := Frame{
		Transaction: newIdent(), Method: MethodReport, Headers: Headers{
			{headerToPath, from}, {headerFromPath, s.address}, {headerMessageID, in.info.ID},
			{headerByteRange, ByteRange{Start: 1, End: in.total, Total: in.total}.String()},
			{headerStatus, "000 " + strconv.Itoa(StatusOK) + " " + comment(StatusOK)},
		},
	}
	return c.urgent(r.AppendEnd(r.AppendHead(nil), Last))
}
