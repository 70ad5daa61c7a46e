package cpim

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parseHeader reads a line: Header-name ":" *( ";" Parameter ) SP Header-value
// (section 3.6).
func parseHeader(line string) (h Header, err error) {
	name, rest, found := strings.Cut(line, ":")
	if !found {
		return h, fmt.Errorf("%.40q has no colon", line)
	}
	prefix, local, dotted := strings.Cut(name, ".")
	if !dotted {
		prefix, local = "", name
	}
	if !isName(local) || dotted && !isName(prefix) {
		return h, fmt.Errorf("%.40q is no header name", name)
	}
	h.Prefix, h.Name = prefix, local
	for strings.HasPrefix(rest, ";") {
		var p Param
		if p, rest, err = parseParam(rest[1:]); err != nil {
			return h, err
		}
		h.Params = append(h.Params, p)
	}
	value, ok := strings.CutPrefix(rest, " ")
	if !ok && rest != "" {
		return h, fmt.Errorf("%.40q: want one space behind the colon", name)
	}
	if strings.Contains(value, "\t") {
		return h, fmt.Errorf("%.40q: a control character", name)
	}
	h.Value = strings.Trim(value, " ")
	return h, nil
}

// parseParam reads name=value and gives what follows; a string may hold anything
// but an unescaped quote.
func parseParam(s string) (p Param, rest string, err error) {
	i := strings.IndexByte(s, '=')
	if i < 0 || !isName(s[:i]) {
		return p, "", fmt.Errorf("%.40q is no parameter", s)
	}
	p.Name, s = s[:i], s[i+1:]
	end := strings.IndexAny(s, "; ")
	if strings.HasPrefix(s, `"`) {
		end = stringEnd(s)
	}
	if end < 0 {
		return p, "", fmt.Errorf("the parameter %.40q has no end", p.Name)
	}
	p.Value = s[:end]
	if !validParam(p.Value) {
		return p, "", fmt.Errorf("the parameter %.40q is %.40q", p.Name, p.Value)
	}
	return p, s[end:], nil
}

// stringEnd is where what stands behind a string begins; -1: it has no end.
func stringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func validParam(value string) bool {
	if strings.HasPrefix(value, `"`) {
		return stringEnd(value) == len(value) && !strings.ContainsFunc(value, isControl)
	}
	return value != "" && !strings.ContainsFunc(value, func(r rune) bool { return !isTokenRune(r) })
}

// isName: 1*NAMECHAR.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r == '.' || r >= utf8.RuneSelf || !isTokenRune(r) })
}

// isTokenRune: any character but controls and separators.
func isTokenRune(r rune) bool { return !isControl(r) && !strings.ContainsRune(`()<>@,;:\"/[]?={} `, r) }

// isFieldName: the name of a MIME field.
func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' })
}

// Marshal writes the message. The error is that it cannot be written: a name, a
// value or a field that would break it.
func (m *Message) Marshal() ([]byte, error) {
	var b strings.Builder
	if len(m.Headers) == 0 {
		return nil, errors.New("message/cpim: there are no headers")
	}
	for _, h := range m.Headers {
		if h.Prefix != "" {
			b.WriteString(h.Prefix + ".")
		}
		b.WriteString(h.Name + ":")
		for _, p := range h.Params {
			b.WriteString(";" + p.Name + "=" + p.Value)
		}
		b.WriteString(" " + h.Value + "\r\n")
		if err := h.valid(); err != nil {
			return nil, fmt.Errorf("message/cpim: %w", err)
		}
	}
	b.WriteString("\r\n")
	for _, f := range m.Content.Fields {
		if !isFieldName(f.Name) || strings.ContainsFunc(f.Value, func(r rune) bool { return isControl(r) && r != '\t' }) {
			return nil, fmt.Errorf("message/cpim: the field %.40q cannot be written", f.Name)
		}
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	if m.Content.Get("Content-Type") == "" {
		return nil, errors.New("message/cpim: the content has no Content-Type")
	}
	return append([]byte(b.String()+"\r\n"), m.Content.Body...), nil
}

func (h Header) valid() error {
	if !isName(h.Name) || h.Prefix != "" && !isName(h.Prefix) || !utf8.ValidString(h.Value) || strings.ContainsFunc(h.Value, isControl) {
		return fmt.Errorf("the header %.40q cannot be written", h.Name)
	}
	for _, p := range h.Params {
		if !isName(p.Name) || !validParam(p.Value) {
			return fmt.Errorf("the parameter %.40q of %.40q cannot be written", p.Name, h.Name)
		}
	}
	return nil
}
