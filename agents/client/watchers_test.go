package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
)

// A user's device hears of each watcher that is new or stands elsewhere. Where a
// document is missing it asks for the whole state (RFC 3858 section 4); one that cannot
// be read is refused and changes nothing.
func TestWatchers(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "bob", f.at(), nil)
	var sub *client.Subscription
	done := later(func() (err error) {
		sub, err = d.Subscribe(timeout(t), "bob", client.SubscribeOptions{Event: client.WatchersEvent, Expires: time.Hour})
		return err
	})
	tx := f.asked("SUBSCRIBE")
	if accept := message.Get(tx.Request(), "Accept"); accept != "application/watcherinfo+xml" {
		t.Errorf("Accept: %s", accept)
	}
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	says := func(cseq, version int, whole, watchers string, want int) {
		t.Helper()
		req := f.notify(tx.Request(), "n", cseq, "active;expires=3600")
		message.Set(req, "Event", client.WatchersEvent)
		message.SetBody(req, "application/watcherinfo+xml", fmt.Appendf(nil,
			`<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="%d" state="%s"><watcher-list resource="sip:bob@example.com" package="presence">%s</watcher-list></watcherinfo>`, version, whole, watchers))
		f.notifies(d, req, want)
	}
	watcher := func(user, status, event string) string {
		return fmt.Sprintf(`<watcher id="%s" status="%s" event="%s">sip:%[1]s@example.com</watcher>`, user, status, event)
	}
	hears := func(entity, state, reason string) {
		t.Helper()
		if e := d.next("watcher"); e.Entity != "sip:"+entity+"@example.com" || e.State != state || e.Reason != reason {
			t.Errorf("%+v, want %s %s %s", e, entity, state, reason)
		}
	}
	says(1, 0, "full", watcher("alice", "pending", "subscribe"), 200)
	hears("alice", "pending", "subscribe")
	d.next("watchers")
	says(2, 1, "partial", watcher("alice", "gone", "subscribe"), 400)
	says(3, 1, "partial", watcher("alice", "active", "approved"), 200)
	hears("alice", "active", "approved")
	d.next("watchers")
	says(4, 3, "partial", watcher("carol", "pending", "subscribe"), 200)
	hears("carol", "pending", "subscribe")
	d.next("watchers")
	f.answer(f.asked("SUBSCRIBE"), 200, "n", "", "Expires", "3600", "Contact", f.contact())
	if all := sub.Watchers(); len(all) != 2 || all[0].State != "active" || all[1].State != "pending" {
		t.Errorf("%+v", all)
	}
	done = later(func() error { return sub.Unsubscribe(context.Background()) })
	f.answer(f.asked("SUBSCRIBE"), 481, "", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if e := d.next("watchers"); e.State != "terminated" || e.Entity != "sip:bob@example.com" {
		t.Errorf("%+v", e)
	}
}
