package msrp

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// parseStart reads "MSRP transact-id method" or "MSRP transact-id status-code
// [comment]"; false: it is neither.
func (f *Frame) parseStart(line string) bool {
	rest, ok := strings.CutPrefix(line, "MSRP ")
	if !ok {
		return false
	}
	f.Transaction, rest, ok = strings.Cut(rest, " ")
	if !ok || !isIdent(f.Transaction) {
		return false
	}
	if isMethod(rest) {
		f.Method = rest
		return true
	}
	code, comment, _ := strings.Cut(rest, " ")
	if len(code) != 3 || !all(code, isDigit) || code < "100" || !isText(comment) {
		return false
	}
	f.Status, _ = strconv.Atoi(code)
	f.Comment = comment
	return true
}

func isMethod(s string) bool { return s != "" && len(s) <= 32 && all(s, isUpper) }

// parseHeader reads one header field. The blank behind the colon may be
// missing or doubled.
func (f *Frame) parseHeader(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) || !isText(value) {
		return fmt.Errorf("msrp: header field %.60q", line)
	}
	f.Headers = append(f.Headers, Header{Name: name, Value: strings.Trim(value, " \t")})
	return nil
}

// check notes as the Problem what a frame of its kind must have and has not.
// A header field that is not understood is none (RFC 4975 section 12).
func (f *Frame) check() {
	if f.Problem != nil {
		return
	}
	if _, _, f.Problem = f.paths(); f.Problem != nil || f.IsResponse() {
		return
	}
	hasType := f.ContentType() != ""
	switch id := f.MessageID(); {
	case f.Method != MethodSend && f.Method != MethodReport:
	case f.HasBody && !hasType:
		f.Problem = fmt.Errorf("msrp: body without Content-Type")
	case id == "" && (f.HasBody || f.Method == MethodReport):
		f.Problem = fmt.Errorf("msrp: no Message-ID")
	case id != "" && !isIdent(id):
		f.Problem = fmt.Errorf("msrp: Message-ID %.60q", id)
	}
	if f.Problem == nil {
		_, f.Problem = f.ByteRange()
	}
	if f.Problem == nil && f.Method == MethodReport {
		_, _, _, f.Problem = f.ReportStatus()
	}
}

// Parse reads one whole frame from raw, with nothing behind it.
func Parse(raw []byte) (f *Frame, body []byte, flag Flag, err error) {
	d := NewReader(bytes.NewReader(raw), Limits{})
	if f, err = d.Next(); err != nil {
		return nil, nil, 0, err
	}
	if body, err = io.ReadAll(d); err != nil {
		return nil, nil, 0, err
	}
	flag = d.Flag()
	if _, err := d.Next(); err != io.EOF {
		return nil, nil, 0, fmt.Errorf("%w: more behind the end-line", ErrFraming)
	}
	return f, body, flag, nil
}
