//go:build !unix

package sip

// mostFiles is how many files the process may have open; 0: not known.
func mostFiles() int { return 0 }
