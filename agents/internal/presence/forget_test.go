package presence

import (
	"errors"
	"testing"

	"presfed/agents/internal/message"
)

func TestForget(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	etag := d.published(doc("sip:a", "open", "away"))
	d.published(doc("sip:b", "open", ""))
	s.store.fail(errors.New("disk"))
	s.p.Forget(alice, "deactivated")
	s.idle()
	s.store.fail(nil)
	etag = d.published("", "SIP-If-Match: "+etag) // what could not be written did not happen
	d.watch(alice, bob)
	d.notice()
	s.p.Forget(alice, "noresource")
	expect(t, d.notice(), "terminated;reason=noresource nothing")
	if res := d.publish("", "SIP-If-Match: "+etag); res.StatusCode != 412 {
		t.Errorf("a refresh of what is forgotten: %s", message.Bytes(res))
	}
	waitFor(t, func() bool { return s.p.Count() == 0 && s.n.Count() == 0 })
	s.end()
	if left := serverAt(t, s.path, start, nil).snap; len(left.Publications)+len(left.Subscriptions) != 0 {
		t.Errorf("%+v is left in the state", left)
	}
}

func TestDismiss(t *testing.T) {
	s := newServer(t, nil)
	d, eve := newDevice(t, s), newDevice(t, s)
	d.watch(alice, bob)
	d.notice()
	eve.watch(alice, "sip:eve@example.com")
	eve.notice()
	s.n.Dismiss("sip:eve@example.com")
	expect(t, eve.notice(), "terminated;reason=rejected nothing")
	d.published(doc("sip:a", "open", ""))
	expect(t, d.notice(), "active;expires=3600 sip:a=open")
	s.idle()
	eve.quiet()
}
