package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// View reads the directory: what is newest ([DB]), one state of it
// ([DB.Snapshot]), or a change in the making ([Tx]).
type View struct {
	d  *DB
	tx *transaction // nil: outside any transaction
}

// transaction remembers which statements it has bound.
type transaction struct {
	ctx   context.Context
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

// Snapshot gives f one state of the directory to read, whatever is changed
// meanwhile.
func (d *DB) Snapshot(ctx context.Context, f func(View) error) error {
	tx, err := d.file.Load().read.db.BeginTx(ctx, nil)
	if err != nil {
		return d.fault(err)
	}
	defer tx.Rollback()
	return f(View{d: d, tx: &transaction{ctx: ctx, tx: tx, stmts: map[string]*sql.Stmt{}}})
}

func (t *transaction) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	// Prepared on the transaction's own connection: the writer's pool has no
	// other, and waiting for one would be for ever.
	s, err := t.tx.Prepare(query)
	if err == nil {
		t.stmts[query] = s
	}
	return s, err
}

func (v View) stmt(query string) (*sql.Stmt, error) {
	if v.tx != nil {
		return v.tx.stmt(query)
	}
	return v.d.file.Load().read.stmt(query)
}

// each calls scan for every row.
func (v View) each(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that can be cancelled doubles the cost of a lookup that takes
	// microseconds and that no lock delays.
	ctx = context.WithoutCancel(ctx)
	f := v.d.file.Load()
	rows, err := v.rows(ctx, query, args)
	if err != nil && v.tx == nil && v.d.file.Load() != f {
		rows, err = v.rows(ctx, query, args) // the file was replaced meanwhile
	}
	if err != nil {
		return v.d.fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return v.d.fault(err)
		}
	}
	return v.d.fault(rows.Err())
}

func (v View) rows(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	s, err := v.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// one scans the first row; found is false when there is none.
func (v View) one(ctx context.Context, dest []any, query string, args ...any) (found bool, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return rows.Scan(dest...)
	}, query, args...)
	return found, err
}

// names collects rows of one string.
func (v View) names(ctx context.Context, query string, args ...any) (out []string, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		out = append(out, s)
		return err
	}, query, args...)
	return out, err
}

// fault says of which directory a failure is, and lets our own errors pass.
func (d *DB) fault(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := d.file.Load()
	if f.damage.Load() == nil && unreadable(err) {
		told := broken(d.path, err)
		f.damage.Store(&told)
	}
	if told := f.damage.Load(); told != nil {
		return *told
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, d.path, err)
}
