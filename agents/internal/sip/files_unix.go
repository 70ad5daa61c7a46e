//go:build unix

package sip

import "syscall"

// mostFiles is how many files the process may have open; the Go runtime has raised
// what it may already. 0: not known.
func mostFiles() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int(min(uint64(l.Cur), 1<<30))
}
