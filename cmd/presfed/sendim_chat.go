package main

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"presfed/agents/client"
)

// chat sends a line after the other, until /bye, the end of the input, or the
// session's. The dialog is ended also when we were interrupted.
func chat(ctx context.Context, opts sendIMOptions, envelope client.Envelope, session *client.Session) error {
	lines := make(chan string)
	over := make(chan error, 1)
	go func() { // ends with the input, or with the process
		scan := bufio.NewScanner(opts.con.in)
		scan.Buffer(nil, maxLine)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-session.Done():
				return
			}
		}
		over <- scan.Err()
	}()
	bye := func(err error) error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return errors.Join(err, session.Close(last))
	}
	for {
		select {
		case line := <-lines:
			switch strings.TrimSpace(line) {
			case "":
				continue
			case "/bye":
				return bye(nil)
			}
			limited, cancel := context.WithTimeout(ctx, opts.device.timeout)
			err := say(limited, session, envelope, line)
			cancel()
			if err != nil {
				return bye(err)
			}
		case err := <-over:
			return bye(err)
		case <-session.Done():
			return nil
		case <-ctx.Done():
			return bye(context.Cause(ctx))
		}
	}
}
