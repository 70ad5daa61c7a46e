package trace

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Stdin is the name that stands for standard input.
const Stdin = "-"

// Sources are what a trace is read from, by what they turned out to be.
type Sources struct {
	Files   []string // JSON lines or captures; Stdin among them
	Sockets []string // control sockets of running roles
}

// Find looks at what names are: files, control sockets, or folders that hold
// control sockets.
func Find(names ...string) (Sources, error) {
	var s Sources
	for _, name := range names {
		if name == Stdin {
			s.Files = append(s.Files, name)
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return Sources{}, err
		case info.Mode()&fs.ModeSocket != 0:
			s.Sockets = append(s.Sockets, name)
		case info.IsDir():
			found, err := socketsIn(name)
			if err != nil {
				return Sources{}, err
			}
			if len(found) == 0 {
				return Sources{}, fmt.Errorf("%s: no control socket in this folder", name)
			}
			s.Sockets = append(s.Sockets, found...)
		default:
			s.Files = append(s.Files, name)
		}
	}
	return s, nil
}

func socketsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if e.Type()&fs.ModeSocket != 0 {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

// FileError says which file cannot be read, or not as what it is.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap is what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// Open reads all sources into one capture; ctx bounds the wait for roles.
func (s Sources) Open(ctx context.Context, stdin io.Reader) (*Capture, error) {
	all, err := Snapshot(ctx, s.Sockets...)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Files {
		c, err := openFile(name, stdin)
		if err != nil {
			return nil, &FileError{name, err}
		}
		all.merge(c)
	}
	return all, nil
}

func openFile(name string, stdin io.Reader) (*Capture, error) {
	if name != Stdin {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		stdin = f
	}
	in := bufio.NewReader(stdin)
	if head, _ := in.Peek(4); isCapture(head) {
		return ReadCapture(in)
	}
	return Read(in)
}

func (c *Capture) merge(other *Capture) {
	c.Records = append(c.Records, other.Records...)
	c.paired = append(c.paired, other.paired...)
	c.Lost += other.Lost
	for addr, name := range other.names {
		c.names[addr] = name
	}
}
