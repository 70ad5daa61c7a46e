package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"presfed/agents/certs"
)

// The exit codes that scripts may rely on.
const (
	exitDone        = 0
	exitVerdict     = 1   // it ran, and our own verdict is no
	exitUsage       = 2   // wrong usage, unreadable or invalid input
	exitRefused     = 3   // the peer refused with a final response
	exitTimeout     = 4   // no answer in time
	exitAuth        = 5   // authentication or TLS failed
	exitInterrupted = 130 // by a signal
)

// failure is an error with its exit code and, where there is one, what to do
// about it.
type failure struct {
	code int
	err  error
	hint string
}

// fail gives err an exit code.
func fail(code int, err error, hint string) *failure {
	return &failure{code: code, err: err, hint: hint}
}

// usage is wrong usage.
func usage(hint, format string, args ...any) *failure {
	return fail(exitUsage, fmt.Errorf(format, args...), hint)
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// classify finds the exit code of an error that a command returned.
func classify(ctx context.Context, err error) *failure {
	var f *failure
	switch {
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return fail(exitInterrupted, errors.New("interrupted"), "")
	case errors.As(err, &f):
		return fail(f.code, err, cmp.Or(f.hint, machineHint(err)))
	case isTLS(err):
		return fail(exitAuth, err, "")
	case isTimeout(err):
		return fail(exitTimeout, err, "")
	case isInput(err):
		return fail(exitUsage, err, machineHint(err))
	default:
		return fail(exitVerdict, err, "")
	}
}

func isTLS(err error) bool {
	var (
		identity *certs.IdentityError
		chain    *tls.CertificateVerificationError
		alert    tls.AlertError
		record   tls.RecordHeaderError
		issuer   x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
	)
	return errors.As(err, &identity) || errors.As(err, &chain) || errors.As(err, &alert) ||
		errors.As(err, &record) || errors.As(err, &issuer) || errors.As(err, &invalid)
}

// isTimeout counts who does not listen among those who do not answer.
func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &network) && network.Timeout()
}

// isInput is a file that cannot be used or an address that is taken: what was
// asked for cannot be had.
func isInput(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// machineHint is what to do about what the machine refuses; empty where the error
// says it all.
func machineHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there: end it, or take another address or port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "the address is none of this machine's"
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS):
		return "the user who runs this may not do that there; take another place, or change its permissions"
	case errors.Is(err, fs.ErrNotExist):
		return "is the name right? What does not begin with / is looked for in the folder where this runs"
	}
	return ""
}
