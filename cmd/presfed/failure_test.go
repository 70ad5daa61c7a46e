package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"presfed/agents/certs"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"own verdict", errors.New("out of order"), 1},
		{"usage", usage("", "no such thing"), 2},
		{"missing file", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, 2},
		{"busy port", &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}, 2},
		{"peer refused", fmt.Errorf("subscribe: %w", fail(exitRefused, errors.New("403 Forbidden"), "")), 3},
		{"no answer", context.DeadlineExceeded, 4},
		{"nobody listens", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, 4},
		{"another name", fmt.Errorf("dial: %w", &certs.IdentityError{Want: "a"}), 5},
		{"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, 5},
		{"the peer's alert", &net.OpError{Op: "remote error", Err: tls.AlertError(42)}, 5},
		{"cancelled", context.Canceled, 130},
	}
	for _, tt := range tests {
		if got := classify(t.Context(), tt.err).code; got != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, got, tt.want)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if got := classify(stopped, errors.New("use of closed network connection")).code; got != 130 {
		t.Errorf("an error after a signal: code %d, want 130", got)
	}
}

func TestWhatTheMachineRefuses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		hint string
	}{
		{&net.OpError{Op: "listen", Err: syscall.EADDRINUSE}, "another program"},
		{fail(exitUsage, &net.OpError{Op: "listen", Err: syscall.EADDRNOTAVAIL}, ""), "none of this machine"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "may not"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "is the name right?"},
		{fail(exitUsage, &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "make it"), "make it"},
	} {
		if got := classify(t.Context(), tt.err); got.code != exitUsage || !strings.Contains(got.hint, tt.hint) {
			t.Errorf("%v: code %d, hint %q, want %q", tt.err, got.code, got.hint, tt.hint)
		}
	}
}
