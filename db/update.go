package db

import (
	"context"
	"database/sql"
	"errors"
)

// Tx is a change in the making; it reads what it has written.
type Tx struct {
	View
	touched map[Change]struct{}
	domain  *Domain // once read
}

// Update makes one change of whatever f does: all of it or, when f returns an
// error, none. It waits up to 5 seconds for another process's change. If f
// changed anything, the revision goes up by one in the same transaction.
func (d *DB) Update(ctx context.Context, f func(*Tx) error) error {
	if d.readOnly {
		return errors.Join(ErrReadOnly, errors.New("directory "+d.path))
	}
	tx, err := d.file.Load().write.db.BeginTx(ctx, nil)
	if err != nil {
		return d.fault(err)
	}
	defer tx.Rollback()
	t := &Tx{
		View:    View{d: d, tx: &transaction{ctx: ctx, tx: tx, stmts: map[string]*sql.Stmt{}}},
		touched: map[Change]struct{}{},
	}
	if err := f(t); err != nil {
		return err
	}
	if err := t.bump(); err != nil {
		return err
	}
	return d.fault(tx.Commit())
}

// exec writes and tells how many rows it met.
func (t *Tx) exec(query string, args ...any) (int64, error) {
	if err := t.tx.ctx.Err(); err != nil {
		return 0, err
	}
	s, err := t.stmt(query)
	if err != nil {
		return 0, t.d.fault(err)
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, t.d.fault(err)
	}
	n, err := r.RowsAffected()
	return n, t.d.fault(err)
}

// touch notes what changed, for those who follow.
func (t *Tx) touch(kind Kind, name string) { t.touched[Change{kind, name}] = struct{}{} }

func (t *Tx) bump() error {
	if len(t.touched) == 0 {
		return nil
	}
	if _, err := t.exec("UPDATE revision SET rev = rev + 1"); err != nil {
		return err
	}
	r, err := t.Revision(t.tx.ctx)
	if err != nil {
		return err
	}
	for c := range t.touched {
		if _, err := t.exec(`INSERT INTO touched (kind, name, rev) VALUES ($1, $2, $3)
			ON CONFLICT (kind, name) DO UPDATE SET rev = excluded.rev`, c.Kind, c.Name, r.Number); err != nil {
			return err
		}
	}
	return nil
}
