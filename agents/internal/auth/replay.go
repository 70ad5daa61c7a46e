package auth

import (
	"container/heap"
	"sync"
	"time"
)

// replay remembers which counts of which nonces were used, so that no answer
// counts twice (RFC 7616 section 3.4: nc). Requests of one client may overtake
// each other on different connections: the last 64 counts of a nonce may come
// in any order.
type replay struct {
	mu      sync.Mutex
	most    int
	life    time.Duration
	bySer   map[uint64]*usage
	oldest  usages
	horizon uint64 // nonces with a serial up to here are known no longer: stale
}

type usage struct {
	nonce
	top    uint32 // highest count seen
	window uint64 // bit i: count top-i was seen
}

func newReplay(most int, life time.Duration) *replay {
	return &replay{most: most, life: life, bySer: make(map[uint64]*usage)}
}

// use marks count nc of n as used; false if it was before, or may have been.
func (r *replay) use(n nonce, nc uint32, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Expired nonces are refused by their time before they come here, so
	// dropping them moves no horizon.
	for len(r.oldest) > 0 && now.Sub(r.oldest[0].made) > r.life {
		r.drop()
	}
	u := r.bySer[n.serial]
	if u == nil {
		if n.serial <= r.horizon {
			return false
		}
		if len(r.bySer) >= r.most {
			r.horizon = max(r.horizon, r.drop())
			if n.serial <= r.horizon {
				return false
			}
		}
		u = &usage{nonce: n, top: nc, window: 1}
		r.bySer[n.serial] = u
		heap.Push(&r.oldest, u)
		return true
	}
	if nc > u.top {
		u.window = u.window<<(nc-u.top) | 1
		u.top = nc
		return true
	}
	bit := uint64(1) << (u.top - nc)
	if u.top-nc >= 64 || u.window&bit != 0 {
		return false
	}
	u.window |= bit
	return true
}

func (r *replay) drop() (serial uint64) {
	u := heap.Pop(&r.oldest).(*usage)
	delete(r.bySer, u.serial)
	return u.serial
}

// usages is a heap, the nonce made first on top.
type usages []*usage

func (h usages) Len() int           { return len(h) }
func (h usages) Less(i, j int) bool { return h[i].serial < h[j].serial }
func (h usages) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *usages) Push(x any)        { *h = append(*h, x.(*usage)) }
func (h *usages) Pop() any {
	old := *h
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return u
}
