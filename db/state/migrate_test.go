package state

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that the first program wrote is opened with all that was acknowledged then, and
// written on.
func TestAFileOfTheFirstSchemaIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	first, err := migrations.ReadFile("migrations/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	file, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour).UnixMilli()
	long := strings.Repeat("x", 20_000) // more than a page
	for _, statement := range []string{
		string(first) + fmt.Sprintf("; PRAGMA application_id = %d; PRAGMA user_version = 1", applicationID),
		fmt.Sprintf(`INSERT INTO publication VALUES ('b', 'sip:bob@example.com', 'presence', 'tag-b', 'application/pidf+xml', 'short', 2000, %d),
			('a', 'sip:bob@example.com', 'presence', 'tag-a', 'application/pidf+xml', '%s', 1000, %[1]d)`, expires, long),
		fmt.Sprintf(`INSERT INTO subscription (half, id, package, event_id, resource, view, watcher, peer, call_id, local_tag, remote_tag, local_address,
			remote_address, contact, target, routes, headers, content_type, state, cseq_reserved, remote_cseq, expires, extra)
			VALUES ('notifier', 's', 'presence', '', 'sip:bob@example.com', 'composed', 'sip:alice@example.com', '', 'call', 'l', 'r', '', '', '', '',
			'[]', '[]', '', 'active', 100, 1, %d, '')`, expires),
	} {
		if _, err := file.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	snap := load(t, path)
	if len(snap.Publications) != 2 || len(snap.Subscriptions) != 1 || snap.Subscriptions[0].CallID != "call" {
		t.Fatalf("%d publications, %+v", len(snap.Publications), snap.Subscriptions)
	}
	for i, want := range []struct {
		etag, body string
		stamped    time.Time
	}{{"tag-a", long, time.Unix(1, 0)}, {"tag-b", "short", time.Unix(2, 0)}} {
		p := snap.Publications[i]
		if p.ETag != want.etag || string(p.Body) != want.body || !p.Stamped.Equal(want.stamped) || p.Expires.UnixMilli() != expires {
			t.Errorf("got %s of %s until %s with %d bytes, want %+v", p.ETag, p.Stamped, p.Expires, len(p.Body), want.etag)
		}
	}

	s, stop := running(t, path, Options{})
	next := snap.Publications[0]
	next.ETag, next.Body = "tag-c", []byte("changed")
	if err := commit(s, func(tx *Tx) error { return tx.PutPublication(next) }); err != nil {
		t.Fatal(err)
	}
	stop()
	if snap = load(t, path); len(snap.Publications) != 2 || snap.Publications[0].ETag != "tag-c" || string(snap.Publications[0].Body) != "changed" {
		t.Errorf("after a change: %+v", snap.Publications)
	}
}
