package msrp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrFraming: the stream is not MSRP, or breaks a limit in a way that leaves
// no way to find the next frame. The connection is of no further use.
var ErrFraming = errors.New("msrp: not a frame")

// Reader splits a stream into frames. Next gives a frame's head, Read its body
// piece by piece; a body is never held whole. Where the stream is cut on its
// way makes no difference to what comes out. Not for concurrent use.
type Reader struct {
	src    io.Reader
	limits Limits

	buf  []byte // of fixed size
	r, w int    // what is read and not yet consumed: buf[r:w]
	err  error  // src's, once it has come

	state  readState
	head   []byte // the frame's head as it came
	tail   []byte // the end of the frame as it came
	end    []byte // the bytes that end this frame's body, flag and CRLF excepted
	fresh  bool   // nothing of the body consumed: an end-line needs no CRLF before it
	chunk  int64  // bytes of the body so far
	flag   Flag
	failed error // what Next and Read return from now on
}

type readState int

const (
	atHead readState = iota
	inBody
)

// NewReader reads frames from src. Limits.Head, Headers and Chunk apply.
func NewReader(src io.Reader, limits Limits) *Reader {
	limits = limits.withDefaults()
	return &Reader{src: src, limits: limits, buf: make([]byte, limits.Head+16<<10)}
}

// Next reads the head of the next frame, passing over what is left of the
// body before it. io.EOF: the stream ended between two frames.
// A frame with a Problem can be skipped or answered; the error ErrFraming
// cannot.
func (d *Reader) Next() (*Frame, error) {
	var sink [512]byte
	for d.state == inBody {
		if _, err := d.Read(sink[:]); err != nil && err != io.EOF {
			return nil, err
		}
	}
	if d.failed != nil {
		return nil, d.failed
	}
	f, err := d.readHead()
	if err != nil {
		d.failed = err
		return nil, err
	}
	return f, nil
}

// Flag is the frame's flag, valid once Read has returned io.EOF, and for a
// frame without body at once.
func (d *Reader) Flag() Flag { return d.flag }

// Head is the frame's head as it came, the empty line included; valid until
// Next is called.
func (d *Reader) Head() []byte { return d.head }

// Tail is the frame's end as it came, valid when Flag is. Head, body and Tail
// make up the frame.
func (d *Reader) Tail() []byte { return d.tail }

func (d *Reader) readHead() (*Frame, error) {
	d.head, d.tail, d.chunk, d.flag = d.head[:0], d.tail[:0], 0, 0
	line, err := d.line()
	if err != nil {
		if err == io.EOF && d.r < d.w {
			err = io.ErrUnexpectedEOF
		}
		if err == errLine {
			err = fmt.Errorf("%w: endless start line", ErrFraming)
		}
		return nil, err
	}
	f := &Frame{}
	if !f.parseStart(string(line)) {
		return nil, fmt.Errorf("%w: start line %.60q", ErrFraming, line)
	}
	d.take(line)
	d.end = append(append(d.end[:0], "\r\n"+endMark...), f.Transaction...)
	for {
		line, err := d.line()
		switch {
		case err == errLine:
			f.Problem = errors.New("msrp: header section too long")
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case len(line) == 0:
			d.take(line)
			f.HasBody = true
		case d.isEnd(line):
			d.flag = Flag(line[len(line)-1])
			d.tail = append(append(d.tail, line...), "\r\n"...)
			d.r += len(line) + 2
			f.check()
			return f, nil
		case len(f.Headers) == d.limits.Headers:
			f.Problem = errors.New("msrp: too many header fields")
		default:
			f.Problem = f.parseHeader(string(line))
		}
		if f.HasBody || f.Problem != nil {
			d.state, d.fresh = inBody, true
			f.HasBody = true
			f.check()
			return f, nil
		}
		d.take(line)
	}
}

// take consumes a line of the head.
func (d *Reader) take(line []byte) {
	d.head = append(append(d.head, line...), "\r\n"...)
	d.r += len(line) + 2
}

var errLine = errors.New("msrp: line too long")

// line finds the next line without consuming it. Its CRLF is not part of it.
// errLine: it would not fit into what Limits.Head leaves.
func (d *Reader) line() ([]byte, error) {
	left := d.limits.Head - len(d.head)
	seen := 0
	for {
		if i := bytes.Index(d.buf[d.r+seen:d.w], []byte("\r\n")); i >= 0 && seen+i+2 <= left {
			return d.buf[d.r : d.r+seen+i], nil
		}
		if d.w-d.r >= left {
			return nil, errLine
		}
		seen = max(0, d.w-d.r-1)
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
}

// isEnd: the line is this frame's end-line.
func (d *Reader) isEnd(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, d.end[2:])
	return ok && len(rest) == 1 && isFlag(rest[0])
}

func isFlag(c byte) bool { return c == byte(Last) || c == byte(More) || c == byte(Abort) }

// fill reads more, at least one byte or an error.
func (d *Reader) fill() error {
	if d.r > 0 {
		d.w = copy(d.buf, d.buf[d.r:d.w])
		d.r = 0
	}
	for range 100 {
		if d.err != nil {
			return d.err
		}
		n, err := d.src.Read(d.buf[d.w:])
		d.w += n
		d.err = err
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}
