package presence

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/db/state"
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
	if res := d.publish(good); res.StatusCode != 403 || !message.Has(res, "Warning") {
		t.Errorf("one too many: %s", message.Bytes(res))
	}
	etag = d.published("", "SIP-If-Match: "+etag) // it has been left alone by all that
	if res := d.publish(good, "SIP-If-Match: "+etag, "Expires: 99999"); message.Get(res, "Expires") != "3600" {
		t.Errorf("%s", message.Bytes(res))
	}
}

// What is said of a broken document stands in a Warning; the peer's own words
// make no reason phrase.
func TestWhatIsBrokenIsSaidInAWarning(t *testing.T) {
	d := newDevice(t, newServer(t, nil))
	res := d.publish("<" + strings.Repeat("a", 20_000) + "/>")
	if warning := message.Get(res, "Warning"); res.StatusCode != 400 || res.Reason != "Bad Request" ||
		!strings.HasPrefix(warning, `399 presfed "body: `) || len(warning) > 300 {
		t.Errorf("%d %.50q, Warning %.300q", res.StatusCode, res.Reason, warning)
	}
}

// Publications that fit one by one, and together make no NOTIFY, are refused; the
// watchers go on hearing of the others.
func TestAViewFitsIntoANotify(t *testing.T) {
	d := newDevice(t, newServer(t, func(cfg *Config) { cfg.View = 3000 }))
	d.watch(alice, bob)
	d.notice()
	large := func(contact string) string { // a contact takes its place in the view
		return doc(contact+strings.Repeat("x", 1000), "open", "")
	}
	var etags []string
	for _, contact := range []string{"sip:a", "sip:b"} {
		etags = append(etags, d.published(large(contact)))
		d.notice()
	}
	if res := d.publish(large("sip:c")); res.StatusCode != 413 || !strings.Contains(message.Get(res, "Warning"), "at most 3000") {
		t.Errorf("the third: %s", message.Bytes(res))
	}
	if res := d.publish(large("sip:d"+strings.Repeat("y", 1000)), "SIP-If-Match: "+etags[0]); res.StatusCode != 413 {
		t.Errorf("the first grown: %d", res.StatusCode)
	}
	d.quiet()
	d.published("", "SIP-If-Match: "+etags[0], "Expires: 0") // the refusals took nothing away
	d.notice()
	d.published(large("sip:c"))
	if body := d.notice(); !strings.Contains(body, "sip:b") || !strings.Contains(body, "sip:c") {
		t.Errorf("%.100s", body)
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
		if res := d.publish(c[0], c[1:]...); res.StatusCode != 503 || !message.Has(res, "Retry-After") || message.Has(res, "SIP-ETag") {
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
	release := s.store.holdUp()
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
	release()
	for _, answers := range []chan *message.Response{publish, second} {
		if res := <-answers; res.StatusCode != 200 {
			t.Error(res.StatusCode)
		}
	}
}

func TestManyPublishersShareWrites(t *testing.T) {
	s := newServer(t, nil)
	counted := func(do func()) (transactions, operations uint64) {
		before := s.store.Stats()
		do()
		after := s.store.Stats()
		return after.Transactions - before.Transactions, after.Operations - before.Operations
	}
	alone := newDevice(t, s)
	if tx, op := counted(func() {
		for range 20 {
			alone.published(doc("sip:x", "open", ""))
		}
	}); tx != 20 || op != 20 {
		t.Errorf("one at a time: %d writes for %d publications", tx, op)
	}
	const inFlight = 64
	if tx, op := counted(func() {
		release := s.store.holdUp()
		var answers []chan *message.Response
		for i := range inFlight {
			user := fmt.Sprintf("sip:user%d@example.com", i)
			answers = append(answers, newDevice(t, s).send(message.PUBLISH, user, user, doc("sip:x", "open", "")))
		}
		waitFor(t, func() bool { return s.store.queued() == inFlight })
		release()
		for _, answer := range answers {
			if res := <-answer; res.StatusCode != 200 {
				t.Error(res.StatusCode)
			}
		}
	}); op != inFlight || tx > 2 { // the one under way, and all that came meanwhile
		t.Errorf("%d in flight: %d writes for %d publications", inFlight, tx, op)
	}
}

// Of two that weigh the same the newer is shown, also where the clock was set back
// between them.
func TestTheNewerIsNewerThoughTheClockIsSetBack(t *testing.T) {
	var c clock.Settable
	who := &presentity{}
	var last time.Time
	for range 5 {
		stamp := who.stamp(c.Now())
		if !stamp.Round(0).After(last.Round(0)) {
			t.Errorf("%s came after %s", stamp, last)
		}
		who.put(&publication{rec: state.Publication{ID: fmt.Sprint(len(who.publications)), Stamped: stamp}})
		last = stamp
		c.Set(-time.Hour)
	}
}
