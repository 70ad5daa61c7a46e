package presence

import "testing"

// What is shown to one watcher is not written anew for all the others, and they are
// not told; what is published is.
func TestOnesShareLeavesTheOthersViews(t *testing.T) {
	s := newServer(t, func(cfg *Config) {
		cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}, Personal: true} }
	})
	const carol = "sip:carol@example.com"
	watchers := map[string]*device{bob: newDevice(t, s), carol: newDevice(t, s)}
	etag := watchers[bob].published(doc("sip:a", "open", "away"))
	for watcher, d := range watchers {
		b := parsed(t, doc("sip:for-"+watcher[4:7], "open", ""), "pb")
		s.share("server-b", watcher, &Share{Document: &b})
		d.watch(alice, watcher)
	}
	expect(t, watchers[bob].notice(), "active;expires=3600 sip:a=open sip:for-bob=open away")
	expect(t, watchers[carol].notice(), "active;expires=3600 sip:a=open sip:for-car=open away")
	view := func() (v []byte) {
		done := make(chan struct{})
		s.lanes.Do(alice, func() { defer close(done); v = s.p.known(alice).views.composed[carol] })
		<-done
		return v
	}
	before := view()
	b := parsed(t, doc("sip:for-bob", "closed", ""), "pb")
	s.share("server-b", bob, &Share{Document: &b})
	expect(t, watchers[bob].notice(), "active;expires=3600 sip:a=open sip:for-bob=closed away")
	if after := view(); &after[0] != &before[0] {
		t.Error("carol's view is written anew for bob")
	}
	watchers[carol].quiet()
	watchers[bob].published(doc("sip:a", "closed", "away"), "SIP-If-Match: "+etag)
	expect(t, watchers[bob].notice(), "active;expires=3600 sip:a=closed sip:for-bob=closed away")
	expect(t, watchers[carol].notice(), "active;expires=3600 sip:a=closed sip:for-car=open away")
	b = parsed(t, doc("sip:for-car", "closed", ""), "pb")
	s.share("server-b", carol, &Share{Document: &b})
	expect(t, watchers[carol].notice(), "active;expires=3600 sip:a=closed sip:for-car=closed away")
	watchers[bob].quiet()
}
