package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// Tx is the open transaction an operation writes through. It is the
// committer's: it must not be kept or used from another goroutine.
type Tx struct {
	conn *sql.Conn
	*frame
	prepared map[string]*sql.Stmt
}

// exec runs one of our constant statements, prepared at its first use.
func (tx *Tx) exec(query string, args ...any) error {
	_, err := tx.execCount(query, args...)
	return err
}

func (tx *Tx) execCount(query string, args ...any) (changed int64, err error) {
	stmt := tx.prepared[query]
	if stmt == nil {
		if stmt, err = tx.conn.PrepareContext(context.Background(), query); err != nil {
			return 0, err
		}
		tx.prepared[query] = stmt
	}
	// A context that can be cancelled doubles what a statement costs.
	res, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// control begins and ends transactions and savepoints.
func (tx *Tx) control(statement string) error {
	if err := tx.exec(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func (tx *Tx) close() error {
	var first error
	for _, stmt := range tx.prepared {
		first = closing(first, stmt.Close())
	}
	return first
}

func (f *frame) millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return f.toFile(t).UnixMilli()
}

// nanos is a time that is told as it was shown: to the nanosecond, for documents with
// it are compared, and whatever became of the clock since.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (f *frame) fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return f.fromFile(time.UnixMilli(ms))
}

// list is a column of several values.
func list[T any](values []T) (string, error) {
	if len(values) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(values)
	return string(b), err
}

func unlist[T any](column string) (values []T, err error) {
	if column == "[]" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(column), &values)
	return values, err
}

func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
