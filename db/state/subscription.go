package state

import (
	"context"
	"fmt"
	"time"
)

// Half says which end of a subscription we are (RFC 6665).
type Half string

// The two halves.
const (
	Notifier   Half = "notifier"
	Subscriber Half = "subscriber"
)

// Subscription is one half of a subscription with the dialog it lives in.
type Subscription struct {
	Half     Half
	ID       string // unique within its half
	Package  string // the event package
	EventID  string // the id parameter of Event
	Resource string // what is watched: an address of record
	View     string // which view of it; the packages' own word
	Watcher  string // who watches: an address of record
	Peer     string // whose link it lives on: a server's name or a client's device

	CallID        string
	LocalTag      string
	RemoteTag     string   // "": the subscriber waits for the first NOTIFY
	LocalAddress  string   // From of our requests, its tag included
	RemoteAddress string   // To of our requests, its tag included
	Contact       string   // ours
	Target        string   // the remote target: the URI of the peer's Contact
	Routes        []string // the route set, the next hop first
	Headers       []Field  // further header fields of our requests

	ContentType  string // of the bodies that flow
	State        string // pending, active, ...
	Cause        string // what brought it there; the notifier's own word
	Since        time.Time
	CSeqReserved uint32 // our own CSeq numbers up to here may have been used
	RemoteCSeq   uint32 // the peer's last
	Expires      time.Time
	Extra        []byte // the package's own
}

// Field is a header field.
type Field struct{ Name, Value string }

// PutSubscription writes sub, new or over the one with its half and ID.
func (tx *Tx) PutSubscription(sub Subscription) error {
	routes, err := list(sub.Routes)
	if err != nil {
		return err
	}
	headers, err := list(sub.Headers)
	if err != nil {
		return err
	}
	return tx.exec(`INSERT OR REPLACE INTO subscription (half, id, package, event_id, resource, view, watcher, peer,
		call_id, local_tag, remote_tag, local_address, remote_address, contact, target, routes, headers,
		content_type, state, cseq_reserved, remote_cseq, expires, extra, since, cause)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		sub.Half, sub.ID, sub.Package, sub.EventID, sub.Resource, sub.View, sub.Watcher, sub.Peer,
		sub.CallID, sub.LocalTag, sub.RemoteTag, sub.LocalAddress, sub.RemoteAddress, sub.Contact, sub.Target, routes, headers,
		sub.ContentType, sub.State, sub.CSeqReserved, sub.RemoteCSeq, tx.millis(sub.Expires), blob(sub.Extra), tx.millis(sub.Since), sub.Cause)
}

// ReserveCSeq sets our own CSeq numbers up to and including upTo aside, so that
// after a restart none is used twice. The subscription must exist.
func (tx *Tx) ReserveCSeq(half Half, id string, upTo uint32) error {
	n, err := tx.execCount(`UPDATE subscription SET cseq_reserved = max(cseq_reserved, ?) WHERE half = ? AND id = ?`, upTo, half, id)
	if err == nil && n != 1 {
		err = fmt.Errorf("no %s subscription %s to reserve CSeqs for", half, id)
	}
	return err
}

// DeleteSubscription removes a subscription; one that is not there is no error.
func (tx *Tx) DeleteSubscription(half Half, id string) error {
	return tx.exec(`DELETE FROM subscription WHERE half = ? AND id = ?`, half, id)
}

func (s *Store) loadSubscriptions(ctx context.Context) (out []Subscription, err error) {
	rows, err := s.conn.QueryContext(ctx, `SELECT half, id, package, event_id, resource, view, watcher, peer,
		call_id, local_tag, remote_tag, local_address, remote_address, contact, target, routes, headers,
		content_type, state, cseq_reserved, remote_cseq, expires, extra, since, cause
		FROM subscription ORDER BY resource, half, id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, rows.Close()) }()
	for rows.Next() {
		var sub Subscription
		var routes, headers string
		var expires, since int64
		if err := rows.Scan(&sub.Half, &sub.ID, &sub.Package, &sub.EventID, &sub.Resource, &sub.View, &sub.Watcher, &sub.Peer,
			&sub.CallID, &sub.LocalTag, &sub.RemoteTag, &sub.LocalAddress, &sub.RemoteAddress, &sub.Contact, &sub.Target, &routes, &headers,
			&sub.ContentType, &sub.State, &sub.CSeqReserved, &sub.RemoteCSeq, &expires, &sub.Extra, &since, &sub.Cause); err != nil {
			return nil, err
		}
		sub.Expires, sub.Since = s.fromMillis(expires), s.fromMillis(since)
		if sub.Routes, err = unlist[string](routes); err != nil {
			return nil, fmt.Errorf("routes of %s: %w", sub.ID, err)
		}
		if sub.Headers, err = unlist[Field](headers); err != nil {
			return nil, fmt.Errorf("headers of %s: %w", sub.ID, err)
		}
		out = append(out, sub)
	}
	return out, rows.Err()
}
