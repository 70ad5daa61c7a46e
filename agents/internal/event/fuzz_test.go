package event

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// notifyWith is a NOTIFY with that field, as the parser would hand it over;
// false where no such message can be.
func notifyWith(name, value string) (*message.Request, bool) {
	raw := "NOTIFY sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n" +
		name + ": " + value + "\r\n\r\n"
	m, err := message.Parse([]byte(raw), message.DefaultLimits)
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return nil, false
	}
	return m.(*message.Request), true
}

// What is read of an Event field says the same when it is written back, and is
// one field then.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{"presence", "presence;id=1", " presence.winfo ; id = a;x", "presence;id=\"q\"", ";id=3", "presence;id=a b", "presence;ID=x;id=y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		req, ok := notifyWith("Event", value)
		if !ok {
			return
		}
		h, err := EventOf(req)
		if err != nil {
			return
		}
		again, ok := notifyWith("Event", h.String())
		if !ok {
			t.Fatalf("%q became %q, which is no field", value, h)
		}
		if got, err := EventOf(again); err != nil || got != h {
			t.Errorf("%q is %+v, but %q is %+v, %v", value, h, h, got, err)
		}
	})
}

// What is read of a Subscription-State says the same when it is written anew.
func FuzzSubscriptionState(f *testing.F) {
	for _, s := range []string{"active;expires=60", "terminated;reason=rejected;retry-after=7", "PENDING", "active;expires=-1", "active;expires=99999999999999", "terminated;reason=\"a b\"", ";"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		req, ok := notifyWith("Subscription-State", value)
		if !ok {
			return
		}
		u, after, expires, err := readState(req)
		if err != nil {
			return
		}
		if after < 0 || expires < 0 || after > 1<<31*time.Second || expires > 1<<31*time.Second {
			t.Fatalf("%q: out of range: %v, %v", value, after, expires)
		}
		text := fmt.Sprintf("%s;reason=%s;retry-after=%s;expires=%s", u.State, message.Quote(u.Reason), Seconds(after), Seconds(expires))
		again, ok := notifyWith("Subscription-State", text)
		if !ok {
			t.Fatalf("%q became %q, which is no field", value, text)
		}
		v, after2, expires2, err := readState(again)
		if err != nil || v.State != u.State || v.Reason != u.Reason || after2 != after || expires2 != expires {
			t.Errorf("%q read anew from %q: %+v, %v, %v, %v", value, text, v, after2, expires2, err)
		}
	})
}
