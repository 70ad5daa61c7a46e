package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"os"
	"syscall"
	"time"

	"presfed/agents/internal/wire"
)

// ErrEnded says that the role ended before it answered.
var ErrEnded = errors.New("the role has ended")

// redial is how often Ready looks for a socket that is not there yet.
const redial = 10 * time.Millisecond

// Client is the other end of a role's control socket. Each call is a connection
// of its own, so calls run side by side.
type Client struct{ path string }

// NewClient speaks to the socket at path, which need not be there yet.
func NewClient(path string) *Client { return &Client{path: path} }

// Path is the socket's.
func (c *Client) Path() string { return c.path }

// Ready waits until the socket is there and the role is ready, or ctx ends.
func (c *Client) Ready(ctx context.Context) (Info, error) {
	var missing error
	for {
		var info Info
		err := c.ask(ctx, request{Op: opReady}, typeReady, &info)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
			missing = err
		case missing != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
			return Info{}, fmt.Errorf("%w: %w", err, missing)
		default:
			return info, err
		}
		timer := time.NewTimer(redial)
		select {
		case <-ctx.Done():
			timer.Stop()
			return Info{}, fmt.Errorf("%w: %w", ctx.Err(), missing)
		case <-timer.C:
		}
	}
}

// Do runs one command and returns its answer as JSON; a role's no is a
// *CommandError.
func (c *Client) Do(ctx context.Context, line string) (json.RawMessage, error) {
	var answer struct{ Result json.RawMessage }
	err := c.ask(ctx, request{Op: opCommand, Line: line}, typeAnswer, &answer)
	return answer.Result, err
}

// Stop asks the role to end and waits until its socket is closed. A role that
// has ended already is no error.
func (c *Client) Stop(ctx context.Context) error {
	conn, err := c.dial(ctx, request{Op: opStop})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.close()
	for {
		kind, line, err := conn.next()
		switch {
		case errors.Is(err, ErrEnded):
			return nil
		case err != nil:
			return err
		case kind == typeError:
			return commandError(line)
		}
	}
}

// Records are the role's wire records after a sequence number, 0 for all since
// its start: those there are, or with follow all until the role ends or ctx
// does. A gap is yielded as a *LostError, and the records go on after it; any
// other error is the last.
func (c *Client) Records(ctx context.Context, after uint64, follow bool) iter.Seq2[wire.Record, error] {
	return func(yield func(wire.Record, error) bool) {
		conn, err := c.dial(ctx, request{Op: opRecords, After: after, Follow: follow})
		if err != nil {
			yield(wire.Record{}, err)
			return
		}
		defer conn.close()
		for {
			kind, line, err := conn.next()
			if err != nil {
				yield(wire.Record{}, err)
				return
			}
			var r wire.Record
			switch kind {
			case typeRecord:
				err = json.Unmarshal(line, &r)
			case typeLost:
				var lost lostLine
				if err = json.Unmarshal(line, &lost); err == nil {
					if !yield(r, &LostError{lost.Count}) {
						return
					}
					continue
				}
			case typeEnd:
				return
			case typeError:
				err = commandError(line)
			default:
				err = fmt.Errorf("control socket %s: unexpected %q", c.path, kind)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// ask is one request with one answer.
func (c *Client) ask(ctx context.Context, req request, want string, answer any) error {
	conn, err := c.dial(ctx, req)
	if err != nil {
		return err
	}
	defer conn.close()
	kind, line, err := conn.next()
	switch {
	case err != nil:
		return err
	case kind == typeError:
		return commandError(line)
	case kind != want:
		return fmt.Errorf("control socket %s: have %q, want %q", c.path, kind, want)
	}
	return json.Unmarshal(line, answer)
}

func commandError(line []byte) error {
	var e errorLine
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	return &CommandError{e.Message}
}

// clientConn is one request's connection.
type clientConn struct {
	ctx   context.Context
	conn  net.Conn
	in    *bufio.Reader
	close func()
}

func (c *Client) dial(ctx context.Context, req request) (*clientConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err != nil {
		// The dialer's own timer may go off before the context's.
		if _, bounded := ctx.Deadline(); bounded && errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, context.DeadlineExceeded
		}
		return nil, cmp.Or(ctx.Err(), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	x := &clientConn{ctx: ctx, conn: conn, in: bufio.NewReader(conn), close: func() { stop(); _ = conn.Close() }}
	line, err := json.Marshal(req)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err != nil {
		x.close()
		return nil, x.why(err)
	}
	return x, nil
}

// next is the next line and its type.
func (x *clientConn) next() (string, []byte, error) {
	var line []byte
	for {
		part, err := x.in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return "", nil, fmt.Errorf("control socket: a line exceeds %d bytes", maxLine)
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", nil, x.why(err)
		}
	}
	var head struct{ Type string }
	if err := json.Unmarshal(bytes.TrimSpace(line), &head); err != nil {
		return "", nil, fmt.Errorf("control socket: %w", err)
	}
	return head.Type, line, nil
}

// why tells our own end from the role's.
func (x *clientConn) why(err error) error {
	if x.ctx.Err() != nil {
		return x.ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return ErrEnded
	}
	return err
}
