package state

import (
	"context"
	"fmt"
	"time"
)

// Publication is one piece of event state that someone published (RFC 3903).
// It keeps its ID while its entity-tag changes with every refresh.
type Publication struct {
	ID          string
	Resource    string // whose state: an address of record
	Package     string // the event package
	ETag        string // the entity-tag that names it now
	ContentType string
	Body        []byte
	Stamped     time.Time // when this body came in, as documents tell it
	Expires     time.Time
}

// PutPublication writes p, new or over the one with its ID.
func (tx *Tx) PutPublication(p Publication) error {
	return tx.exec(`INSERT INTO publication (id, resource, package, etag, content_type, body, stamped, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET resource = excluded.resource, package = excluded.package, etag = excluded.etag,
		content_type = excluded.content_type, body = excluded.body, stamped = excluded.stamped, expires = excluded.expires`,
		p.ID, p.Resource, p.Package, p.ETag, p.ContentType, blob(p.Body), nanos(p.Stamped), tx.millis(p.Expires))
}

// RefreshPublication gives a publication its next entity-tag and more time; its
// body stays. It must exist.
func (tx *Tx) RefreshPublication(id, etag string, expires time.Time) error {
	n, err := tx.execCount(`UPDATE publication SET etag = ?, expires = ? WHERE id = ?`, etag, tx.millis(expires), id)
	if err == nil && n != 1 {
		err = fmt.Errorf("no publication %s to refresh", id)
	}
	return err
}

// DeletePublication removes a publication; one that is not there is no error.
func (tx *Tx) DeletePublication(id string) error {
	return tx.exec(`DELETE FROM publication WHERE id = ?`, id)
}

func (s *Store) loadPublications(ctx context.Context) (out []Publication, err error) {
	rows, err := s.conn.QueryContext(ctx, `SELECT id, resource, package, etag, content_type, body, stamped, expires
		FROM publication ORDER BY resource, stamped, id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, rows.Close()) }()
	for rows.Next() {
		var p Publication
		var stamped, expires int64
		if err := rows.Scan(&p.ID, &p.Resource, &p.Package, &p.ETag, &p.ContentType, &p.Body, &stamped, &expires); err != nil {
			return nil, err
		}
		p.Stamped, p.Expires = fromNanos(stamped), s.fromMillis(expires)
		out = append(out, p)
	}
	return out, rows.Err()
}
