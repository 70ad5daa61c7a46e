package msrp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The header fields this room reads and writes.
const (
	headerToPath             = "To-Path"
	headerFromPath           = "From-Path"
	headerMessageID          = "Message-ID"
	headerByteRange          = "Byte-Range"
	headerSuccessReport      = "Success-Report"
	headerFailureReport      = "Failure-Report"
	headerStatus             = "Status"
	headerContentType        = "Content-Type"
	headerContentDisposition = "Content-Disposition"
)

// FailureReport says which failures a sender wants to hear of.
type FailureReport string

// The values of Failure-Report; the empty value means FailureYes.
const (
	FailureYes     FailureReport = "yes"
	FailurePartial FailureReport = "partial" // refusals, but neither 200 nor timeouts
	FailureNo      FailureReport = "no"
)

// MessageID is the Message-ID; empty if there is none.
func (f *Frame) MessageID() string { v, _ := f.Headers.Get(headerMessageID); return v }

// ContentType is the Content-Type; empty if there is none.
func (f *Frame) ContentType() string { v, _ := f.Headers.Get(headerContentType); return v }

// FailureReport is what the sender asked for; "yes" unless it said otherwise.
func (f *Frame) FailureReport() FailureReport {
	v, _ := f.Headers.Get(headerFailureReport)
	switch r := FailureReport(strings.ToLower(v)); r {
	case FailureNo, FailurePartial:
		return r
	}
	return FailureYes
}

// SuccessReport: the sender wants success REPORTs.
func (f *Frame) SuccessReport() bool {
	v, _ := f.Headers.Get(headerSuccessReport)
	return strings.EqualFold(v, "yes")
}

// ByteRange is the Byte-Range; the whole of an unknown length without one.
func (f *Frame) ByteRange() (ByteRange, error) {
	v, ok := f.Headers.Get(headerByteRange)
	if !ok {
		return ByteRange{Start: 1, End: Unknown, Total: Unknown}, nil
	}
	return ParseByteRange(v)
}

// ReportStatus is the Status of a REPORT.
func (f *Frame) ReportStatus() (namespace string, code int, comment string, err error) {
	v, _ := f.Headers.Get(headerStatus)
	namespace, rest, _ := strings.Cut(v, " ")
	digits, comment, _ := strings.Cut(rest, " ")
	code, err = strconv.Atoi(digits)
	if err != nil || len(namespace) != 3 || len(digits) != 3 || !all(namespace+digits, isDigit) {
		return "", 0, "", fmt.Errorf("msrp: Status %.60q", v)
	}
	return namespace, code, comment, nil
}

// paths are To-Path and From-Path, each of which must be there once.
func (f *Frame) paths() (to, from Path, err error) {
	if f.Headers.Count(headerToPath) != 1 || f.Headers.Count(headerFromPath) != 1 {
		return nil, nil, errors.New("msrp: not one To-Path and one From-Path")
	}
	v, _ := f.Headers.Get(headerToPath)
	if to, err = ParsePath(v); err != nil {
		return nil, nil, err
	}
	v, _ = f.Headers.Get(headerFromPath)
	from, err = ParsePath(v)
	return to, from, err
}
