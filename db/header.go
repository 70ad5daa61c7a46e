package db

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// checkHeader reads the start of the file by itself: SQLite, asked to open what
// is none of its files, may already write to it, and words its refusals for
// others. https://www.sqlite.org/fileformat.html section 1.3.
func checkHeader(path string, readOnly bool) error {
	flag := os.O_RDWR
	if readOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return &OpenError{Path: path, Err: ErrUnreachable, Reason: pathReason(err), Hint: "give this user the right to it"}
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	var head [100]byte
	switch n, err := io.ReadFull(f, head[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return &OpenError{Path: path, Err: ErrForeign, Reason: "is empty", Hint: "remove it, then presfed directory init makes a directory"}
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return &OpenError{Path: path, Err: ErrUnreachable, Reason: pathReason(err)}
	case err != nil || string(head[:len(magic)]) != magic:
		return &OpenError{Path: path, Err: ErrForeign, Reason: "is not a SQLite database",
			Hint: "presfed directory init makes a directory, presfed directory import fills it from a file"}
	case binary.BigEndian.Uint32(head[68:]) != applicationID:
		return &OpenError{Path: path, Err: ErrForeign, Reason: "is a SQLite database, but not a directory of presfed",
			Hint: "presfed directory init makes one"}
	}
	return nil
}
