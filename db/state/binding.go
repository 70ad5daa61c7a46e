package state

import (
	"context"
	"fmt"
	"time"
)

// Binding is one contact registered for an address of record (RFC 3261 section
// 10.3).
type Binding struct {
	AOR     string
	Contact string   // the contact's URI, in the form in which contacts are compared
	Address string   // the Contact value as it came, with its parameters (q, capabilities)
	CallID  string   // of the REGISTER that made it, with
	CSeq    uint32   // the last CSeq seen in it
	Path    []string // RFC 3327, the next hop first
	Source  string   // the connection it came by, in the registrar's own words
	Agent   string   // User-Agent
	Updated time.Time
	Expires time.Time
}

// PutBinding writes b, new or over the one of its AOR and Contact.
func (tx *Tx) PutBinding(b Binding) error {
	path, err := list(b.Path)
	if err != nil {
		return err
	}
	return tx.exec(`INSERT OR REPLACE INTO binding (aor, contact, address, call_id, cseq, path, source, agent, updated, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		b.AOR, b.Contact, b.Address, b.CallID, b.CSeq, path, b.Source, b.Agent, tx.millis(b.Updated), tx.millis(b.Expires))
}

// DeleteBinding removes a binding; one that is not there is no error.
func (tx *Tx) DeleteBinding(aor, contact string) error {
	return tx.exec(`DELETE FROM binding WHERE aor = ? AND contact = ?`, aor, contact)
}

// DeleteBindings removes every binding of an address of record.
func (tx *Tx) DeleteBindings(aor string) error {
	return tx.exec(`DELETE FROM binding WHERE aor = ?`, aor)
}

func (s *Store) loadBindings(ctx context.Context) (out []Binding, err error) {
	rows, err := s.conn.QueryContext(ctx, `SELECT aor, contact, address, call_id, cseq, path, source, agent, updated, expires
		FROM binding ORDER BY aor, updated, contact`)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, rows.Close()) }()
	for rows.Next() {
		var b Binding
		var path string
		var updated, expires int64
		if err := rows.Scan(&b.AOR, &b.Contact, &b.Address, &b.CallID, &b.CSeq, &path, &b.Source, &b.Agent, &updated, &expires); err != nil {
			return nil, err
		}
		if b.Path, err = unlist[string](path); err != nil {
			return nil, fmt.Errorf("path of %s: %w", b.Contact, err)
		}
		b.Updated, b.Expires = s.fromMillis(updated), s.fromMillis(expires)
		out = append(out, b)
	}
	return out, rows.Err()
}
