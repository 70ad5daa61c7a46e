package cpim

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"
)

// Limits of what comes before a message's body, which is its carrier's to limit.
const (
	maxHead    = 64 << 10 // bytes of headers, and as many of MIME fields
	maxHeaders = 128      // and as many MIME fields
)

// Error says what is wrong with a message, and where.
type Error struct {
	Line int // from 1; 0: it ends too early
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "message/cpim: " + e.What
	}
	return fmt.Sprintf("message/cpim, line %d: %s", e.Line, e.What)
}

// Parse reads a message. It keeps raw. Errors are *Error.
//
// Lines may end in LF alone. COMPAT: the MIME fields may follow the headers
// without the blank line between them, as in all examples of RFC 5438.
func Parse(raw []byte) (*Message, error) {
	m := &Message{}
	r := &lines{rest: raw, left: maxHead}
	for {
		line, err := r.next()
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Type") {
			r.back()
			break
		}
		h, err := parseHeader(line)
		if err != nil {
			return nil, r.fail("%v", err)
		}
		if m.Headers = append(m.Headers, h); len(m.Headers) > maxHeaders {
			return nil, r.fail("more than %d headers", maxHeaders)
		}
	}
	if len(m.Headers) == 0 {
		return nil, r.fail("there are no headers")
	}
	r.left = maxHead
	if err := m.Content.parse(r); err != nil {
		return nil, err
	}
	m.Content.Body = r.rest
	return m, nil
}

// lines are the lines before a body.
type lines struct {
	rest, last []byte
	left       int // bytes that may still come
	n          int
}

// next is the next line without its end; it is text.
func (r *lines) next() (string, error) {
	r.n++
	i := bytes.IndexByte(r.rest, '\n')
	switch {
	case i < 0 && len(r.rest) <= r.left:
		return "", &Error{What: "it ends before its content begins"}
	case i < 0 || i >= r.left:
		return "", r.fail("more than %d bytes", maxHead)
	}
	r.last, r.left = r.rest, r.left-i-1
	line := bytes.TrimSuffix(r.rest[:i], []byte("\r"))
	r.rest = r.rest[i+1:]
	switch {
	case !utf8.Valid(line):
		return "", r.fail("it is not UTF-8")
	case bytes.ContainsFunc(line, func(c rune) bool { return isControl(c) && c != '\t' }):
		return "", r.fail("a control character")
	}
	return string(line), nil
}

// back takes the last line back.
func (r *lines) back() { r.rest, r.n = r.last, r.n-1 }

func (r *lines) fail(format string, a ...any) *Error {
	return &Error{Line: r.n, What: fmt.Sprintf(format, a...)}
}

// parse reads the MIME fields, folded ones too.
func (c *Content) parse(r *lines) error {
	for {
		line, err := r.next()
		switch {
		case err != nil:
			return err
		case line == "" && c.Get("Content-Type") == "":
			return r.fail("the content has no Content-Type")
		case line == "":
			return nil
		case len(c.Fields) == maxHeaders:
			return r.fail("more than %d fields", maxHeaders)
		}
		if more := strings.TrimLeft(line, " \t"); more != line {
			if len(c.Fields) == 0 {
				return r.fail("a continuation of nothing")
			}
			last := &c.Fields[len(c.Fields)-1]
			last.Value = strings.TrimSpace(last.Value + " " + strings.TrimSpace(more))
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if name = strings.TrimRight(name, " \t"); !found || !isFieldName(name) {
			return r.fail("%.40q is no MIME field", line)
		}
		c.Fields = append(c.Fields, Field{name, strings.TrimSpace(value)})
	}
}

// Decoded is the body without its transfer encoding. An encoding that is not
// known, or that the body breaks, is an error.
func (c Content) Decoded() ([]byte, error) {
	var from io.Reader
	switch encoding := strings.ToLower(c.Get("Content-Transfer-Encoding")); encoding {
	case "", "7bit", "8bit", "binary":
		return c.Body, nil
	case "base64":
		from = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(c.Body))
	case "quoted-printable":
		from = quotedprintable.NewReader(bytes.NewReader(c.Body))
	default:
		return nil, fmt.Errorf("the transfer encoding %.40q is not known", encoding)
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return nil, errors.New("its transfer encoding is broken")
	}
	return body, nil
}
