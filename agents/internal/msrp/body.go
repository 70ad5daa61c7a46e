package msrp

import (
	"bytes"
	"fmt"
	"io"
)

// Read reads the frame's body up to its end-line, then says io.EOF.
func (d *Reader) Read(p []byte) (int, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	if d.state != inBody {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, end := d.scan()
		if n > 0 {
			n = int(min(int64(n), d.limits.Chunk-d.chunk))
			if n == 0 {
				d.failed = fmt.Errorf("%w: chunk over %d bytes", ErrFraming, d.limits.Chunk)
				return 0, d.failed
			}
			n = copy(p, d.buf[d.r:d.r+n])
			d.r += n
			d.chunk += int64(n)
			d.fresh = false
			return n, nil
		}
		if end > 0 {
			d.tail = append(d.tail, d.buf[d.r:d.r+end]...)
			d.flag = Flag(d.buf[d.r+end-3])
			d.r += end
			d.state = atHead
			return 0, io.EOF
		}
		if err := d.fill(); err != nil {
			return d.cutOff(p, err)
		}
	}
}

// scan looks at what is buffered: n bytes of it are body for certain; if that
// is none, end is the length of the frame's end, or 0 when more must be read.
//
// A line that goes on behind the transaction identifier with anything but a
// flag and CRLF is body.
func (d *Reader) scan() (n, end int) {
	b := d.buf[d.r:d.w]
	if d.fresh {
		// The line before the body ended in CRLF: an end-line may follow at once.
		if whole, part := matchEnd(b, d.end[2:]); whole > 0 {
			return 0, whole
		} else if part {
			return 0, 0
		}
	}
	for from := 0; ; from++ {
		i := bytes.IndexByte(b[from:], '\r')
		if i < 0 {
			return len(b), 0
		}
		from += i
		whole, part := matchEnd(b[from:], d.end)
		if whole == 0 && !part {
			continue
		}
		if from > 0 {
			return from, 0
		}
		return 0, whole
	}
}

// matchEnd: b starts with the mark, a flag and CRLF, whole bytes long; or all
// of b is part of such an end.
func matchEnd(b, mark []byte) (whole int, part bool) {
	n := len(mark)
	if len(b) <= n {
		return 0, bytes.HasPrefix(mark, b)
	}
	if !bytes.HasPrefix(b, mark) || !isFlag(b[n]) {
		return 0, false
	}
	if rest := b[n+1:]; len(rest) < 2 {
		return 0, bytes.HasPrefix([]byte("\r\n"), rest)
	} else if rest[0] != '\r' || rest[1] != '\n' {
		return 0, false
	}
	return n + 3, false
}

// cutOff hands out what looked like the start of an end-line when the stream
// breaks off there.
func (d *Reader) cutOff(p []byte, err error) (int, error) {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if d.r < d.w {
		n := copy(p, d.buf[d.r:d.w])
		d.r += n
		d.fresh = false
		return n, nil
	}
	d.failed = err
	return 0, err
}
