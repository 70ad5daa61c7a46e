package server_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/routing"
)

// at is what one device did about one call.
type at struct {
	invites, cancels int
	final            int // what it answered; 0: nothing yet
}

// moody is a device that does what a die says, some time later: it rings, answers,
// declines, or waits for the CANCEL.
type moody struct {
	*phone
	mu    sync.Mutex
	die   *rand.Rand
	calls map[string]*at // by Call-ID
	paged map[string]int // MESSAGEs, by Call-ID
	did   chan struct{}  // one of the devices something, since it was last looked
}

// moods are two devices at each of two servers, until the test ends.
func (b *domain) moods(seed uint64) (out []*moody) {
	did, stop := make(chan struct{}, 1), make(chan struct{})
	var wg sync.WaitGroup
	b.t.Cleanup(func() { close(stop); wg.Wait() })
	for i, server := range []string{"a", "a", "b", "b"} {
		m := &moody{phone: b.phone("alice", server, "TCP"), die: rand.New(rand.NewPCG(seed, uint64(i))),
			calls: map[string]*at{}, paged: map[string]int{}, did: did}
		m.register()
		out = append(out, m)
		wg.Go(func() { m.run(stop) })
	}
	return out
}

// within waits until ok holds.
func (m *moody) within(ok func() bool) {
	m.t.Helper()
	holds := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return ok()
	}
	for end := time.After(20 * time.Second); !holds(); {
		select {
		case <-m.did:
		case <-end:
			m.t.Fatalf("a device at %s: %+v", m.server, m.calls)
		}
	}
}

// done lets go of the lock, and says that there is something to be seen.
func (m *moody) done() {
	m.mu.Unlock()
	select {
	case m.did <- struct{}{}:
	default:
	}
}

func (m *moody) run(stop <-chan struct{}) {
	for {
		select {
		case tx := <-m.requests:
			m.take(tx)
		case <-stop:
			return
		}
	}
}

func (m *moody) take(tx *sip.ServerTx) {
	m.mu.Lock()
	defer m.done()
	id := message.CallID(tx.Request())
	a := m.calls[id]
	if a == nil {
		a = &at{}
		m.calls[id] = a
	}
	switch tx.Request().Method {
	case message.INVITE:
		a.invites++
		if m.die.IntN(3) > 0 {
			m.replies(tx, 180, m.user)
		}
		status := []int{200, 200, 486, 603, 0}[m.die.IntN(5)]
		if status == 0 {
			m.replies(tx, 180, m.user) // else no CANCEL would come
			return
		}
		time.AfterFunc(time.Duration(m.die.IntN(6))*time.Millisecond, func() { m.ends(tx, a, status) })
	case message.MESSAGE:
		m.paged[id]++
		m.replies(tx, 200, m.user)
	case message.CANCEL:
		a.cancels++
		m.replies(tx, 200, m.user)
		go m.ends(tx.Invite(), a, 487)
	}
}

func (m *moody) ends(invite *sip.ServerTx, a *at, status int) {
	m.mu.Lock()
	defer m.done()
	if a.final == 0 {
		a.final = status
		m.replies(invite, status, m.user)
	}
}

// TestManyCallsAtOnce: whatever devices and sender do at whatever moment, each
// device is rung once, each 2xx comes to the sender, one other final response does
// where there is none, and nobody is left ringing.
func TestManyCallsAtOnce(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), hierarchy("server-b", "server-a", "server-b"), peers("server-a", "server-b")} {
		t.Run(place.String(), func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			b := unionOf(t, place)
			devices := b.moods(seed)
			die := rand.New(rand.NewPCG(seed, 99))
			var calls []*ring
			for i := range 60 {
				user := []string{"ann", "bob", "cleo"}[i%3]
				call := b.phone(user, map[string]string{"ann": "a", "bob": "b", "cleo": "c"}[user], "TCP").rings()
				calls = append(calls, call)
				wait := time.Duration(2+die.IntN(10)) * time.Millisecond
				time.AfterFunc(wait, call.tx.Cancel)
			}
			for _, call := range calls {
				id := message.CallID(call.invite)
				var heard []int
				for len(heard) == 0 {
					if res := next(t, call.heard); res == nil {
						t.Fatalf("%s: the connection was lost", id)
					} else if res.StatusCode >= 200 {
						heard = append(heard, res.StatusCode)
					}
				}
				call.check(devices, heard)
			}
		})
	}
}

// check waits until every device is done, and holds what was heard against what
// they say they did.
func (r *ring) check(devices []*moody, heard []int) {
	r.t.Helper()
	id := message.CallID(r.invite)
	var did []string
	for end := time.After(20 * time.Second); ; {
		did = nil
		ok, quiet := 0, true
		for _, m := range devices {
			m.mu.Lock()
			a := cmp.Or(m.calls[id], &at{})
			did = append(did, fmt.Sprintf("%+v", *a))
			quiet = quiet && (a.invites == 0 || a.final != 0)
			if a.final == 200 {
				ok++
			}
			if a.invites > 1 || a.cancels > 1 {
				r.t.Errorf("%s: a device got %d INVITEs and %d CANCELs", id, a.invites, a.cancels)
			}
			m.mu.Unlock()
		}
		want := slices.Repeat([]int{200}, ok)
		if quiet && (ok > 0 && slices.Equal(heard, want) || ok == 0 && len(heard) == 1 && heard[0] >= 300) {
			return
		}
		select {
		case <-devices[0].did:
		case res := <-r.heard:
			if res.StatusCode >= 200 {
				heard = append(heard, res.StatusCode)
			}
		case <-end:
			r.t.Fatalf("%s: heard %v, and the devices did %s", id, heard, strings.Join(did, ", "))
		}
	}
}
