package state

import (
	"context"
	"time"
)

// Clock is the machine's: the time shown, with a monotonic reading, and how long it
// has been since the start that boot names, "" where that is not known.
type Clock interface {
	Now() time.Time
	Uptime() (boot string, up time.Duration)
}

// shownOnly is the clock of a machine that does not tell its uptime.
type shownOnly struct{}

func (shownOnly) Now() time.Time                  { return time.Now() }
func (shownOnly) Uptime() (string, time.Duration) { return "", 0 }

// frame is the clock that the file's times are by. It began as the machine's and
// goes on when that is set, so that an hour granted is an hour, whatever is shown
// meanwhile: while we run by the monotonic readings of times, over a restart by the
// uptime, over the machine's own start by what lay between it and the time shown.
type frame struct {
	began time.Time // when the file was opened, as the process has it
	kept  time.Time // as the file has it
	boot  string
	up    time.Duration // kept is ahead of the uptime by this, from 1970 on
	shown time.Duration // and of the time shown
}

// slip is what two clocks may seem to differ by that were read one after another.
const slip = time.Second

// readFrame finds out what the file's clock shows now.
func (s *Store) readFrame(ctx context.Context) error {
	var was frame
	if err := s.conn.QueryRowContext(ctx, "SELECT boot, up, shown FROM clock").Scan(&was.boot, &was.up, &was.shown); err != nil {
		return err
	}
	f := frame{began: s.opts.Clock.Now()}
	boot, up := s.opts.Clock.Uptime()
	shows := f.began.Round(0)
	if f.kept = shows.Add(was.shown); boot != "" && boot == was.boot {
		f.kept = time.Unix(0, int64(was.up+up))
	}
	if off := f.kept.Sub(shows); off.Abs() < slip {
		f.kept = shows
	} else {
		s.opts.Log.Warn("the machine's clock was set: what is kept lasts as long as was granted", "back", off.Round(time.Second))
	}
	f.boot, f.up, f.shown = boot, time.Duration(f.kept.UnixNano())-up, f.kept.Sub(shows)
	s.frame = f
	if f.boot == was.boot && (f.up-was.up).Abs() < slip && (f.shown-was.shown).Abs() < slip {
		return nil
	}
	_, err := s.conn.ExecContext(ctx, "UPDATE clock SET boot = ?, up = ?, shown = ?", f.boot, int64(f.up), int64(f.shown))
	return err
}

// keepFrame notes, within a transaction, that the machine's clock was set: after the
// machine's next start nothing else would tell. It gives what is to be taken for the
// frame's once that is committed.
func (tx *Tx) keepFrame(now time.Time) (shown time.Duration, err error) {
	shown = tx.frame.toFile(now).Sub(now.Round(0))
	if (shown - tx.frame.shown).Abs() < slip {
		return tx.frame.shown, nil
	}
	return shown, tx.exec("UPDATE clock SET shown = ?", int64(shown))
}

// toFile is a time of the process's by the file's clock.
func (f *frame) toFile(t time.Time) time.Time { return f.kept.Add(t.Sub(f.began)) }

// fromFile is a time of the file's by the process's clock.
func (f *frame) fromFile(t time.Time) time.Time { return f.began.Add(t.Sub(f.kept)) }
