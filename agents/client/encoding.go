package client

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

const (
	contentEncoding = "Content-Encoding"
	// encodings are those that decoded undoes, as Accept-Encoding has them.
	encodings = "gzip, deflate, identity"
	// maxDecoded bounds what becomes of a body, in bytes, however small it came.
	maxDecoded = 1 << 20
	// maxEncodings bounds how many there are on each other.
	maxEncodings = 2
)

// decoded is a body without its Content-Encoding (RFC 3261 section 20.12). The error
// is a *message.ParseError: 415 for an encoding that is not known.
func decoded(m message.Message) (body []byte, err error) {
	body = m.Body()
	all := message.Values(m, contentEncoding)
	if len(all) > maxEncodings {
		return nil, &message.ParseError{Status: 415, Where: contentEncoding, What: fmt.Sprintf("%d on each other", len(all))}
	}
	for _, how := range slices.Backward(all) {
		if body, err = decode(how, body); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func decode(how string, body []byte) (out []byte, err error) {
	var from io.Reader
	switch strings.ToLower(how) {
	case "identity":
		return body, nil
	case "gzip", "x-gzip":
		from, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // RFC 1950
		if from, err = zlib.NewReader(bytes.NewReader(body)); errors.Is(err, zlib.ErrHeader) {
			from, err = flate.NewReader(bytes.NewReader(body)), nil // COMPAT: RFC 1951 alone
		}
	default:
		return nil, &message.ParseError{Status: 415, Where: contentEncoding, What: fmt.Sprintf("%.40q is not known", how)}
	}
	if err == nil {
		out, err = io.ReadAll(io.LimitReader(from, maxDecoded+1))
	}
	switch {
	case err != nil:
		return nil, &message.ParseError{Status: 400, Where: contentEncoding, What: fmt.Sprintf("%s: %v", how, err)}
	case len(out) > maxDecoded:
		return nil, &message.ParseError{Status: 413, Where: contentEncoding, What: fmt.Sprintf("more than %d bytes without it", maxDecoded)}
	}
	return out, nil
}

// takenInstead are the fields of a response that refuses a body: what would be
// taken, of these types.
func takenInstead(types string, err error) []string {
	field, values := "Accept", types
	var why *message.ParseError
	if errors.As(err, &why) && why.Where == contentEncoding {
		field, values = "Accept-Encoding", encodings
	}
	return []string{field, values, "Warning", message.Warning(err.Error())}
}
