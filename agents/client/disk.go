package client

import (
	"errors"
	"syscall"

	"presfed/agents/internal/msrp"
)

// diskError is why something of a peer's cannot be kept. The peer is told 413, and
// whether there is no room, but nothing else of this machine.
type diskError struct{ error }

// onDisk makes what a file system says a diskError; nil stays nil.
func onDisk(err error) error {
	if err == nil {
		return nil
	}
	return &diskError{err}
}

func (e *diskError) Unwrap() []error {
	told := &msrp.StatusError{Code: msrp.StatusStop, Comment: "it cannot be kept"}
	if errors.Is(e.error, syscall.ENOSPC) || errors.Is(e.error, syscall.EDQUOT) {
		told.Comment = "no room"
	}
	return []error{e.error, told}
}
