package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/control"
)

// told is a device that is told by its control socket what to do, in the words
// of presfed agent. It is a [flow.Actor].
type told struct {
	control      *control.Client
	name, domain string
	dir          string // for documents
	answer       client.Answer
}

func (d *told) do(ctx context.Context, format string, args ...any) error {
	if _, err := d.control.Do(ctx, fmt.Sprintf(format, args...)); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

// wait waits for an event as long as ctx allows.
func (d *told) wait(ctx context.Context, event string) error {
	left := 10 * time.Second
	if end, ok := ctx.Deadline(); ok {
		left = max(time.Until(end), time.Millisecond)
	}
	return d.do(ctx, "wait %s %s", event, left.Round(time.Millisecond))
}

func (d *told) aor(user string) string { return user + "@" + d.domain }

func (d *told) Register(ctx context.Context) error { return d.do(ctx, "register") }

func (d *told) Publish(ctx context.Context, document []byte) error {
	path := filepath.Join(d.dir, d.name+".xml")
	if err := os.WriteFile(path, document, 0o600); err != nil {
		return err
	}
	return d.do(ctx, "publish %s", path)
}

func (d *told) Unpublish(ctx context.Context) error { return d.do(ctx, "unpublish") }

func (d *told) Watch(ctx context.Context, user string) error {
	if err := d.do(ctx, "watch %s", d.aor(user)); err != nil {
		return err
	}
	return d.wait(ctx, "presence entity="+d.aor(user)+" content_type=application/pidf+xml")
}

func (d *told) Unwatch(ctx context.Context, user string) error {
	if err := d.do(ctx, "unwatch %s", d.aor(user)); err != nil {
		return err
	}
	return d.wait(ctx, "presence entity="+d.aor(user)+" state=terminated")
}

func (d *told) IM(ctx context.Context, user, text string) error {
	return d.do(ctx, "im %s %s", d.aor(user), text)
}

func (d *told) Reply(ctx context.Context, user, text string) error {
	if d.answer == client.AnswerEarly {
		if err := d.wait(ctx, "im from="+d.aor(user)+" state=early"); err != nil {
			return err
		}
		return d.do(ctx, "reply %s", text)
	}
	if err := d.wait(ctx, "session peer="+d.aor(user)+" state=established"); err != nil {
		return err
	}
	return d.do(ctx, "im %s %s", d.aor(user), text)
}

func (d *told) Bye(ctx context.Context, user string) error { return d.do(ctx, "bye %s", d.aor(user)) }
