package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Part is one body of several (RFC 2046 section 5.1, RFC 5621).
type Part struct {
	Header textproto.MIMEHeader
	Body   []byte
}

// Type is the part's media type in lower case, without parameters; text/plain
// where it says none (RFC 2046 section 5.2).
func (p Part) Type() string {
	if t := MediaType(p.Header.Get("Content-Type")); t != "" {
		return t
	}
	return "text/plain"
}

// Disposition is the part's disposition type in lower case; "" where it says
// none.
func (p Part) Disposition() string { return MediaType(p.Header.Get("Content-Disposition")) }

// Required says whether the message must be refused if this part is not
// understood (RFC 3261 section 20.11: the default of handling).
func (p Part) Required() bool {
	_, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	return !strings.EqualFold(params["handling"], "optional")
}

// ID is the part's Content-ID without its angle brackets.
func (p Part) ID() string {
	id := strings.TrimSpace(p.Header.Get("Content-ID"))
	return strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
}

// PartLimits bound a body of several parts.
type PartLimits struct {
	Parts   int // how many
	Headers int // fields of each
	Bytes   int // body of each
}

// DefaultPartLimits suit what one SIP message holds.
var DefaultPartLimits = PartLimits{Parts: 16, Headers: 16, Bytes: 64 << 10}

// IsMultipart says whether contentType is of several parts.
func IsMultipart(contentType string) bool {
	return strings.HasPrefix(MediaType(contentType), "multipart/")
}

// ParseParts reads the parts of a multipart body as they are: what is nested in
// a part stays in it, and no transfer encoding is undone. The error is a
// *ParseError.
func ParseParts(contentType string, body []byte, limits PartLimits) ([]Part, error) {
	bad := func(status int, what string) ([]Part, error) {
		return nil, &ParseError{Status: status, Where: "body", What: what}
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch boundary := params["boundary"]; {
	case err != nil || !strings.HasPrefix(kind, "multipart/"):
		return nil, &ParseError{Status: 400, Where: "Content-Type", What: "want multipart/..., have " + quoteClip(contentType)}
	case boundary == "" || len(boundary) > 70: // RFC 2046 section 5.1.1
		return nil, &ParseError{Status: 400, Where: "Content-Type", What: "no boundary of 1 to 70 characters in " + quoteClip(contentType)}
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var parts []Part
	for {
		p, err := r.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && len(parts) > 0:
			return parts, nil
		case errors.Is(err, io.EOF):
			return bad(400, "no part begins with the boundary")
		case err != nil:
			return bad(400, fmt.Sprintf("part %d: %v", len(parts)+1, err))
		case len(parts) == limits.Parts:
			return bad(413, fmt.Sprintf("more than %d parts", limits.Parts))
		case len(p.Header) > limits.Headers:
			return bad(413, fmt.Sprintf("part %d: more than %d fields", len(parts)+1, limits.Headers))
		}
		content, err := io.ReadAll(io.LimitReader(p, int64(limits.Bytes)+1))
		if len(content) > limits.Bytes {
			return bad(413, fmt.Sprintf("part %d: more than %d bytes", len(parts)+1, limits.Bytes))
		}
		parts = append(parts, Part{p.Header, content})
		// COMPAT: the federation draft's own examples leave the closing boundary
		// out; Content-Length has shown that nothing is missing.
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return parts, nil
		}
		if err != nil {
			return bad(400, fmt.Sprintf("part %d: %v", len(parts), err))
		}
	}
}

// WriteParts writes a body of that subtype, such as mixed, and its Content-Type
// with further parameters, which may be nil. The error says which parameter
// cannot be written.
func WriteParts(parts []Part, subtype string, params map[string]string) (contentType string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	all := map[string]string{"boundary": w.Boundary()}
	for name, value := range params {
		all[name] = value
	}
	if contentType = mime.FormatMediaType("multipart/"+subtype, all); contentType == "" {
		return "", nil, fmt.Errorf("multipart/%s with the parameters %v cannot be written", subtype, params)
	}
	for _, p := range parts {
		into, err := w.CreatePart(p.Header)
		if err != nil {
			return "", nil, err
		}
		if _, err = into.Write(p.Body); err != nil {
			return "", nil, err
		}
	}
	if err = w.Close(); err != nil {
		return "", nil, err
	}
	return contentType, b.Bytes(), nil
}

// NewPart is a part with these fields, given as name and value in turn.
func NewPart(body []byte, fields ...string) Part {
	p := Part{Header: textproto.MIMEHeader{}, Body: body}
	for i := 0; i+1 < len(fields); i += 2 {
		p.Header.Add(fields[i], fields[i+1])
	}
	return p
}
