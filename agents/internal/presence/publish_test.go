package presence

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

func TestPublishRefreshModifyRemove(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	d.watch(alice, bob)
	expect(t, d.notice(), "active;expires=3600 "+alice+"=closed")
	res := d.publish(doc("sip:a", "open", "away"), "Expires: 600")
	expect(t, message.Get(res, "Expires"), "600")
	first := message.Get(res, "SIP-ETag")
	expect(t, d.notice(), "active;expires=3600 sip:a=open away")
	s.clock.Advance(500 * time.Second)
	second := d.published("", "SIP-If-Match: "+first, "Expires: 1200", "Content-Type: ") // refresh
	d.quiet()
	s.clock.Advance(200 * time.Second) // the first expiry passes
	d.quiet()
	for _, body := range []string{"", doc("sip:a", "closed", "")} {
		if res := d.publish(body, "SIP-If-Match: "+first); res.StatusCode != 412 {
			t.Errorf("the old entity-tag: %d", res.StatusCode)
		}
	}
	third := d.published(doc("sip:a", "closed", "busy"), "SIP-If-Match: "+second) // modify
	expect(t, d.notice(), "active;expires=2900 sip:a=closed busy")
	fourth := d.published(doc("sip:a", "closed", "busy"), "SIP-If-Match: "+third) // the same again
	d.quiet()
	if first == second || second == third || third == fourth || first == "" {
		t.Error("an entity-tag was used twice")
	}
	res = d.publish("", "SIP-If-Match: "+fourth, "Expires: 0")
	expect(t, fmt.Sprint(res.StatusCode, " ", message.Get(res, "Expires")), "200 0")
	expect(t, d.notice(), "active;expires=2900 "+alice+"=closed")
	if res := d.publish("", "SIP-If-Match: "+fourth); res.StatusCode != 412 {
		t.Errorf("after the removal: %d", res.StatusCode)
	}
	if res := d.publish(doc("sip:a", "open", ""), "Expires: 0"); res.StatusCode != 200 || message.Get(res, "SIP-ETag") == "" {
		t.Errorf("a first PUBLISH that keeps nothing: %d", res.StatusCode)
	}
	d.quiet()
	waitFor(t, func() bool { return s.p.Count() == 0 })
}

func TestQuestionsOfPublish(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.Most = 2; cfg.Document.Bytes = 4000 })
	d := newDevice(t, s)
	good := doc("sip:a", "open", "")
	etag := d.published(good)
	for _, c := range []struct {
		status      int
		field, want string
		body        string
		fields      []string
	}{
		{489, "Allow-Events", "presence", good, []string{"Event: "}},
		{489, "Allow-Events", "presence", good, []string{"Event: dialog"}},
		{489, "Allow-Events", "presence", good, []string{"Event: dialog", "SIP-If-Match: unknown"}}, // in the order of the RFC
		{412, "", "", good, []string{"SIP-If-Match: unknown", "Expires: 1"}},
		{400, "", "", good, []string{"SIP-If-Match: " + etag + ", " + etag}},
		{423, "Min-Expires", "60", good, []string{"Expires: 59", "Content-Type: text/plain"}},
		{423, "Min-Expires", "60", "", []string{"Expires: 1", "SIP-If-Match: " + etag}},
		{400, "", "", good, []string{"Expires: -1"}},
		{415, "Accept", ContentType, good, []string{"Content-Type: text/plain"}},
		{415, "Accept", ContentType, good, []string{"Content-Type: "}},
		{415, "Accept", ContentType, good, []string{"Content-Type: application/pidf+xml;charset=utf-16"}},
		{415, "Accept-Encoding", "identity", good, []string{"Content-Encoding: gzip"}},
		{400, "", "", "", nil},
		{400, "", "", "<presence", nil},
		{400, "", "", strings.Replace(good, "<basic>open", "<basic>ajar", 1), []string{"SIP-If-Match: " + etag}},
		{400, "", "", strings.Replace(good, "</presence>", "</presence><more/>", 1), nil},
		{413, "", "", strings.Replace(good, "</presence>", strings.Repeat(" ", 4000)+"</presence>", 1), nil},
	} {
		res := d.publish(c.body, c.fields...)
		if res.StatusCode != c.status || c.field != "" && message.Get(res, c.field) != c.want || message.Has(res, "SIP-ETag") {
			t.Errorf("%v %.30s: want %d %s, got\n%s", c.fields, c.body, c.status, c.want, message.Bytes(res))
		}
	}
	d.published(good, "Content-Type: Application/PIDF+XML; charset=\"UTF-8\"", "Content-Encoding: identity")
	if res := d.publish(good); res.StatusCode != 503 || !message.Has(res, "Retry-After") {
		t.Errorf("one too many: %s", message.Bytes(res))
	}
	etag = d.published("", "SIP-If-Match: "+etag) // it has been left alone by all that
	if res := d.publish(good, "SIP-If-Match: "+etag, "Expires: 99999"); message.Get(res, "Expires") != "3600" {
		t.Errorf("%s", message.Bytes(res))
	}
}

func TestAPublicationThatIsNotRefreshedGoes(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	d.watch(alice, bob)
	d.notice()
	d.published(doc("sip:a", "open", ""), "Expires: 100")
	d.notice()
	etag := d.published(doc("sip:b", "open", ""), "Expires: 200")
	expect(t, d.notice(), "active;expires=3600 sip:a=open sip:b=open")
	s.clock.Advance(100 * time.Second)
	expect(t, d.notice(), "active;expires=3500 sip:b=open")
	s.clock.Advance(100 * time.Second)
	expect(t, d.notice(), "active;expires=3400 "+alice+"=closed")
	if res := d.publish("", "SIP-If-Match: "+etag); res.StatusCode != 412 {
		t.Errorf("a refresh that comes too late: %d", res.StatusCode)
	}
	s.end()
	if s.snap = serverAt(t, s.path, start, nil).snap; len(s.snap.Publications) != 0 {
		t.Errorf("%d publications are left in the state", len(s.snap.Publications))
	}
}

func TestAFailedCommitChangesNothing(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	etag := d.published(doc("sip:a", "open", "away"))
	d.watch(alice, bob)
	d.notice()
	s.store.fail(errors.New("disk"))
	for _, c := range [][]string{
		{doc("sip:b", "open", "")},
		{doc("sip:a", "closed", ""), "SIP-If-Match: " + etag},
		{"", "SIP-If-Match: " + etag},
		{"", "SIP-If-Match: " + etag, "Expires: 0"},
	} {
		if res := d.publish(c[0], c[1:]...); res.StatusCode != 500 || message.Has(res, "SIP-ETag") {
			t.Errorf("%v: %s", c[1:], message.Bytes(res))
		}
	}
	d.quiet()
	s.store.fail(nil)
	d.watch(alice, alice)
	expect(t, d.notice(), "active;expires=3600 sip:a=open away")
	d.published(doc("sip:a", "closed", ""), "SIP-If-Match: "+etag)
}

func TestASlowCommitHoldsOnlyItsPresentityUp(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	hold := make(chan struct{})
	s.store.mu.Lock()
	s.store.hold = hold
	s.store.mu.Unlock()
	publish := d.send(message.PUBLISH, alice, alice, doc("sip:a", "open", ""))
	second := d.send(message.PUBLISH, alice, alice, doc("sip:b", "open", ""))
	// The same connection reads on.
	if res := d.call(message.OPTIONS, alice, alice, ""); res.StatusCode != 200 {
		t.Error(res.StatusCode)
	}
	if res := d.call(message.PUBLISH, "sip:carol@example.com", alice, "", "SIP-If-Match: x"); res.StatusCode != 412 {
		t.Error(res.StatusCode)
	}
	select {
	case res := <-publish:
		t.Errorf("answered before it was written: %d", res.StatusCode)
	case res := <-second:
		t.Errorf("answered before it was written: %d", res.StatusCode)
	default:
	}
	close(hold)
	for _, answers := range []chan *message.Response{publish, second} {
		if res := <-answers; res.StatusCode != 200 {
			t.Error(res.StatusCode)
		}
	}
}

func TestManyPublishersShareWrites(t *testing.T) {
	s := newServer(t, nil)
	writes := func(inFlight, each int) (transactions, operations uint64) {
		before := s.store.Stats()
		var wg sync.WaitGroup
		for i := range inFlight {
			d := newDevice(t, s)
			user := fmt.Sprintf("sip:user%d@example.com", i)
			wg.Go(func() {
				for range each {
					if res := d.call(message.PUBLISH, user, user, doc("sip:x", "open", "")); res.StatusCode != 200 {
						t.Error(res.StatusCode)
					}
				}
			})
		}
		wg.Wait()
		after := s.store.Stats()
		return after.Transactions - before.Transactions, after.Operations - before.Operations
	}
	if tx, op := writes(1, 20); tx != 20 || op != 20 {
		t.Errorf("one at a time: %d writes for %d publications", tx, op)
	}
	if tx, op := writes(64, 10); op != 640 || tx > op/3 {
		t.Errorf("64 in flight: %d writes for %d publications", tx, op)
	}
}
