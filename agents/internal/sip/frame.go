package sip

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// frame is one message cut out of a stream.
type frame struct {
	raw []byte
	// problem is what the cutting found wrong though the stream goes on: the
	// message is answered with its status.
	problem *message.ParseError
	blank   bool // an empty line before a start line: part of a keep-alive
	guessed bool // no Content-Length: taken for 0
}

// errUnframed ends a connection: where the next message begins cannot be told.
var errUnframed = errors.New("the end of a message cannot be found")

// framer cuts a stream into messages.
type framer struct {
	r       *bufio.Reader
	guessed bool // the message before had no Content-Length
}

// next is the next frame; with errUnframed it holds what could be read, to be
// answered.
func (c *framer) next(limits message.Limits) (frame, error) {
	if c.guessed {
		if err := resume(c.r); err != nil {
			return frame{}, err
		}
	}
	f, err := readFrame(c.r, limits)
	if !f.blank {
		c.guessed = f.guessed
	}
	return f, err
}

// readFrame cuts the next message off the stream (RFC 3261 sections 7.5, 18.3).
// With errUnframed the frame holds what could be read, to be answered.
func readFrame(r *bufio.Reader, limits message.Limits) (frame, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		if head == nil && string(line) == "\r\n" {
			return frame{blank: true}, nil
		}
		if head == nil {
			head = make([]byte, 0, max(usualHead, len(line)))
		}
		head = append(head, line...)
		if len(head) > readPast*limits.HeaderBytes {
			return overlong(head, limits), errUnframed
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			if len(head) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return frame{}, err
		}
		if len(head) >= 4 && string(head[len(head)-4:]) == "\r\n\r\n" {
			break
		}
	}
	length, problem := contentLength(head)
	guessed := problem != nil
	if length < 0 {
		return frame{raw: head, problem: problem}, errUnframed
	}
	if len(head) > limits.HeaderBytes {
		return past(r, overlong(head, limits), length)
	}
	if length > limits.BodyBytes {
		problem = &message.ParseError{Status: 413, Where: "body", What: fmt.Sprintf("%d bytes, at most %d", length, limits.BodyBytes)}
		return past(r, frame{raw: head, problem: problem}, length)
	}
	raw := slices.Grow(head, length)[:len(head)+length]
	_, err := io.ReadFull(r, raw[len(head):])
	return frame{raw: raw, problem: problem, guessed: guessed}, err
}

// usualHead is what most heads have room in, those of responses above all.
const usualHead = 512

// resume looks whether a start line, or an empty one, follows a message of which no
// length is known. If not, that message had a body: errUnframed.
func resume(r *bufio.Reader) error {
	for n := 1; ; n = r.Buffered() + 1 {
		_, err := r.Peek(n)
		begun, _ := r.Peek(r.Buffered())
		switch end := bytes.IndexByte(begun, '\n'); {
		case end > 1 && !bytes.HasPrefix(begun, []byte("SIP/")) && !bytes.Contains(begun[:end], []byte(" SIP/")), errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("%w: a body of no stated length", errUnframed)
		case end >= 0 || err != nil:
			return err
		}
	}
}

// readPast times the limit a head is read to find where it ends: one message too
// large must not end a connection that others share.
const readPast = 4

// overlong is what of a head may be enough to answer it.
func overlong(head []byte, limits message.Limits) frame {
	head, why := message.Shorten(head, limits.HeaderBytes)
	f := frame{raw: append(head, "\r\n"...)}
	errors.As(why, &f.problem)
	return f
}

// past leaves out the body of a message that is refused.
func past(r *bufio.Reader, f frame, length int) (frame, error) {
	if length > 64<<20 {
		return f, errUnframed
	}
	if _, err := r.Discard(length); err != nil {
		return f, fmt.Errorf("%w: %w", errUnframed, err)
	}
	return f, nil
}

// contentLength finds the length in a head; -1 where it cannot be told. A
// missing one is taken for 0 and named: RFC 3261 section 20.14 wants it on
// streams, but one careless client must not lose its connection for it.
func contentLength(head []byte) (int, *message.ParseError) {
	length, found := 0, false
	bad := func(what string) (int, *message.ParseError) {
		return -1, &message.ParseError{Status: 400, Where: "Content-Length", What: what}
	}
	for rest := head; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		rest = after
		if len(line) == 0 || (line[0]|0x20) != 'l' && (line[0]|0x20) != 'c' {
			continue
		}
		name, stated, ok := bytes.Cut(line, []byte(":"))
		if !ok || !named(bytes.TrimRight(name, " \t"), "Content-Length", "l") {
			continue
		}
		value := string(stated)
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			more, after, _ := bytes.Cut(rest, []byte("\r\n"))
			value, rest = value+string(more), after
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err != nil {
			return bad("not a length: " + strconv.Quote(strings.TrimSpace(value)))
		}
		if found && int(n) != length {
			return bad("two that differ")
		}
		length, found = int(n), true
	}
	if !found {
		return 0, &message.ParseError{Status: 400, Where: "Content-Length", What: "missing on a stream"}
	}
	return length, nil
}
