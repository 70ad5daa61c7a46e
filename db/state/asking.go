package state

import (
	"context"
	"time"
)

// Asking is somebody who has asked to watch a presentity and has had no decision
// yet (RFC 3857 section 4.7.1).
type Asking struct {
	Presentity, Watcher string // addresses of record
	ID                  string // of her subscription, as it is told to the presentity
	Name                string // what she is called; may be empty
	Anonymous           bool   // she does not want to be named (RFC 3323)
	Since               time.Time
	Until               time.Time // when it is given up
}

// PutAsking writes a, new or over the one of its presentity and watcher.
func (tx *Tx) PutAsking(a Asking) error {
	return tx.exec(`INSERT OR REPLACE INTO asking (presentity, watcher, id, name, anonymous, since, until) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		a.Presentity, a.Watcher, a.ID, a.Name, a.Anonymous, tx.millis(a.Since), tx.millis(a.Until))
}

// DeleteAsking removes what a watcher asked; what is not there is no error.
func (tx *Tx) DeleteAsking(presentity, watcher string) error {
	return tx.exec(`DELETE FROM asking WHERE presentity = ? AND watcher = ?`, presentity, watcher)
}

func (s *Store) loadAsking(ctx context.Context) (out []Asking, err error) {
	rows, err := s.conn.QueryContext(ctx, `SELECT presentity, watcher, id, name, anonymous, since, until FROM asking ORDER BY presentity, since, watcher`)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, rows.Close()) }()
	for rows.Next() {
		var a Asking
		var since, until int64
		if err := rows.Scan(&a.Presentity, &a.Watcher, &a.ID, &a.Name, &a.Anonymous, &since, &until); err != nil {
			return nil, err
		}
		a.Since, a.Until = s.fromMillis(since), s.fromMillis(until)
		out = append(out, a)
	}
	return out, rows.Err()
}
