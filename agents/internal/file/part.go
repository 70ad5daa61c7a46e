package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// syncEvery is how much of a part is written before it is brought to the disk, so
// that Keep has little left to do. In bytes.
const syncEvery = 64 << 20

// maxNumbered is how many files of one name a folder takes.
const maxNumbered = 1000

// Part is a file on its way into a folder, which has a name there only when it is
// whole. Until then nothing of it outlives the process, where the file system knows
// files without a name (O_TMPFILE); else a hidden file that ends in ".part" may.
// Not for concurrent use.
type Part struct {
	file     *os.File
	dir      string
	unnamed  bool
	unsynced int
}

// NewPart begins a file. Whoever has it closes it.
func NewPart(dir string) (*Part, error) {
	if f, err := unnamed(dir); err == nil {
		return &Part{file: f, dir: dir, unnamed: true}, nil
	}
	return namedPart(dir)
}

func namedPart(dir string) (*Part, error) {
	f, err := os.CreateTemp(dir, ".presfed-*.part")
	if err != nil {
		return nil, err
	}
	return &Part{file: f, dir: dir}, nil
}

// WriteAt writes bytes at their place.
func (p *Part) WriteAt(b []byte, off int64) (int, error) {
	n, err := p.file.WriteAt(b, off)
	if p.unsynced += n; err == nil && p.unsynced >= syncEvery {
		p.unsynced = 0
		err = p.file.Sync()
	}
	return n, err
}

// ReadAt reads what was written.
func (p *Part) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// Keep gives the file a name, or one beside those that are taken. What it returns is
// on the disk.
func (p *Part) Keep(name string) (path string, err error) {
	if err = p.file.Sync(); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		path = filepath.Join(p.dir, Numbered(name, n))
		if err = p.claim(path); !errors.Is(err, fs.ErrExist) || n == maxNumbered {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if err = syncFolder(p.dir); err != nil {
		return "", errors.Join(err, os.Remove(path)) // who is refused it has not sent it
	}
	return path, nil
}

// syncFolder has the names in a folder on the disk.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// claim names the file, unless there is one of that name.
func (p *Part) claim(path string) error {
	if p.unnamed {
		return link(p.file, path)
	}
	err := os.Link(p.file.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Where the file system has no links, an empty file holds the place.
	place, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_ = place.Close()
	return os.Rename(p.file.Name(), path)
}

// Close lets go of the file; what was not kept is gone.
func (p *Part) Close() error {
	err := p.file.Close()
	if p.unnamed {
		return err
	}
	if rerr := os.Remove(p.file.Name()); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}
