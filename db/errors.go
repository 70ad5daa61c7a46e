package db

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The kinds of error, for errors.Is; the types below carry the names.
var (
	ErrNotFound = errors.New("not in the directory")
	ErrExists   = errors.New("already in the directory")
	ErrInUse    = errors.New("still in use")
	// ErrReadOnly: the directory was opened for reading.
	ErrReadOnly = errors.New("opened read-only")

	// ErrMissing, ErrForeign, ErrNewer, ErrOlder and ErrUnreachable are why a
	// file did not open: there is none; it is no directory of ours; a newer
	// program has changed it; it needs an update and was opened read-only; the
	// system refused.
	ErrMissing     = errors.New("no such directory")
	ErrForeign     = errors.New("not a directory of presfed")
	ErrNewer       = errors.New("directory of a newer presfed")
	ErrOlder       = errors.New("directory of an older presfed")
	ErrUnreachable = errors.New("directory cannot be reached")
)

// NotFoundError names what is not there; errors.Is(err, ErrNotFound).
type NotFoundError struct{ What, Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no %s %q in the directory", e.What, e.Name)
}
func (e *NotFoundError) Is(t error) bool { return t == ErrNotFound }

// ExistsError names what is there already; errors.Is(err, ErrExists).
type ExistsError struct{ What, Name string }

func (e *ExistsError) Error() string   { return fmt.Sprintf("%s %q is there already", e.What, e.Name) }
func (e *ExistsError) Is(t error) bool { return t == ErrExists }

// InUseError names what cannot go yet and for whose sake; errors.Is(err,
// ErrInUse).
type InUseError struct {
	What, Name string
	By         []string // the first few
	Count      int      // of all
}

func (e *InUseError) Error() string {
	by := strings.Join(e.By, ", ")
	if e.Count > len(e.By) {
		by += fmt.Sprintf(" and %d more", e.Count-len(e.By))
	}
	return fmt.Sprintf("%s %q is still needed by %s", e.What, e.Name, by)
}
func (e *InUseError) Is(t error) bool { return t == ErrInUse }

// InvalidError names a value that cannot be, and what would.
type InvalidError struct{ Field, Value, Want string }

func (e *InvalidError) Error() string {
	value := e.Value
	if len(value) > 80 {
		value = value[:77] + "..."
	}
	return fmt.Sprintf("%s is %q, want %s", e.Field, value, e.Want)
}

// OpenError says why a file does not open. Err is one of the kinds above.
type OpenError struct {
	Path   string
	Err    error
	Reason string
	Hint   string // what to do about it; may be empty
}

func (e *OpenError) Error() string { return fmt.Sprintf("directory %s: %s", e.Path, e.Reason) }
func (e *OpenError) Unwrap() error { return e.Err }

func missing(path string) *OpenError {
	return &OpenError{Path: path, Err: ErrMissing, Reason: "there is no such file", Hint: "presfed directory init makes one"}
}

// pathReason is the system's reason without the path, which is said already.
func pathReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
