package eventlist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
)

// model is what two watchers of a list should come to see, thought of simply: of
// each member the last thing that was heard.
type model struct {
	*bed
	rng    *rand.Rand
	on     []string          // the list
	last   map[string]string // by name
	over   map[*held]bool
	tables map[string]*rlmi.Table // by Call-ID
}

// TestWatchersSeeWhatIsThere: whatever members do, whoever comes and goes, and
// however NOTIFYs are answered, once all is quiet every watcher holds the list.
func TestWatchersSeeWhatIsThere(t *testing.T) {
	for seed := range uint64(150) {
		m := &model{
			bed: newBed(t, func(cfg *Config) { cfg.Room = 6000 }), rng: rand.New(rand.NewPCG(seed, 4662)),
			last: map[string]string{}, over: map[*held]bool{}, tables: map[string]*rlmi.Table{"pc": {}, "phone": {}},
		}
		m.join()
		for watcher := range m.tables {
			if res := m.subscribe(buddies, alice, watcher); res.StatusCode != 200 {
				t.Fatal(res.StatusCode)
			}
		}
		for range 60 {
			m.step()
		}
		m.rest()
		var want []string
		for _, name := range m.on {
			want = append(want, strings.TrimSpace(name+" "+m.last[name]))
		}
		slices.Sort(want)
		for watcher, table := range m.tables {
			var got []string
			for _, r := range table.Resources() {
				row := strings.TrimSuffix(strings.TrimPrefix(r.URI, "sip:"), "@example.com")
				for _, i := range r.Instances {
					row += " " + i.State + i.Reason + string(i.Body)
				}
				got = append(got, row)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %s sees\n%.300q\nwant\n%.300q", seed, watcher, got, want)
			}
		}
	}
}

// join makes the list anew, with whom chance picks.
func (m *model) join() {
	before := m.on
	m.on = nil
	for _, name := range []string{"bob", "carol", "dave", "erin", "frank"} {
		if m.rng.IntN(3) > 0 {
			m.on = append(m.on, name)
		}
		if !slices.Contains(m.on, name) || !slices.Contains(before, name) {
			delete(m.last, name)
		}
	}
	m.has(m.on...)
	m.Changed()
	m.idle()
}

func (m *model) step() {
	switch m.rng.IntN(8) {
	case 0:
		m.join()
	case 1:
		m.Reconsidered()
		m.idle()
	case 2:
		m.pass(time.Duration(m.rng.IntN(300)) * time.Millisecond)
	case 3:
		m.answer([]int{200, 200, 500, 0}[m.rng.IntN(4)])
	default:
		if len(m.on) > 0 {
			m.happens(m.on[m.rng.IntN(len(m.on))])
		}
	}
}

// happens has something become of the subscription to a member.
func (m *model) happens(name string) {
	m.mu.Lock()
	h := m.held["sip:"+name+"@example.com"]
	m.mu.Unlock()
	if h == nil || m.over[h] {
		return
	}
	switch m.rng.IntN(7) {
	case 0:
		h.on(event.Update{Notified: true, State: event.StatePending})
		m.last[name] = "pending"
	case 1:
		h.on(event.Update{Status: 403, Over: true})
		m.last[name], m.over[h] = "terminatedrejected", true
	case 2:
		h.on(event.Update{Notified: true, State: event.StateTerminated, Reason: "noresource", Over: true})
		m.last[name], m.over[h] = "terminatednoresource", true
	case 3:
		h.on(event.Update{Err: errors.New("no way"), Again: time.Second})
		m.last[name] = "terminatedprobation"
	default:
		text := fmt.Sprint(m.rng.IntN(1000), strings.Repeat("x", m.rng.IntN(2500)))
		h.on(event.Update{Notified: true, State: event.StateActive, ContentType: "text/plain", Body: []byte(text)})
		m.last[name] = "active" + text
	}
	m.idle()
}

// answer answers what NOTIFYs there are; one that is not accepted is not seen, 0
// is a link that is down.
func (m *model) answer(status int) (some bool) {
	m.idle()
	m.mu.Lock()
	all := m.notifies
	m.notifies = nil
	m.mu.Unlock()
	for _, n := range all {
		if status == 200 {
			l, err := rlmi.Parse(message.Get(n.Request, "Content-Type"), n.Body(), rlmi.DefaultLimits)
			if err != nil || len(n.Body()) > 6000 {
				m.t.Fatalf("%d bytes, %v", len(n.Body()), err)
			}
			if taken := m.tables[message.CallID(n.Request)].Take(l); taken.Stale || taken.Lost {
				m.t.Fatalf("version %d: %+v", l.Version, taken)
			}
		}
		if status == 0 {
			n.done(event.Outcome{Err: errors.New("down")})
		} else {
			n.done(event.Outcome{Status: status})
		}
	}
	m.idle()
	return len(all) > 0
}

// rest lets everything come to its end.
func (m *model) rest() {
	for quiet := 0; quiet < 3; {
		m.pass(31 * time.Second)
		if quiet++; m.answer(200) {
			quiet = 0
		}
	}
}
