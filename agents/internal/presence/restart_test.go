package presence

import (
	"testing"
	"time"
)

// Of two that weigh the same the newer is shown, by however little, and a restart
// changes nothing of the document.
func TestARestartShowsTheSameDocument(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	s.clock.Advance(1500 * time.Microsecond)
	d.published(doc("sip:a", "open", "busy"))
	s.clock.Advance(200 * time.Microsecond)
	d.published(doc("sip:b", "open", "away"))
	d.watch(alice, bob)
	before := string((<-d.notices).Body())
	s.end()
	s = serverAt(t, s.path, s.clock.Now(), nil)
	d.s = s
	if after := string((<-d.notices).Body()); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
