package sip

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// table maps transaction keys to transactions, in shards so that connections
// do not wait for one another.
type table[T comparable] struct {
	seed   maphash.Seed
	shards [64]shard[T]
	count  atomic.Int64
}

type shard[T comparable] struct {
	mu sync.Mutex
	m  map[string]T
}

func (t *table[T]) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].m = map[string]T{}
	}
}

func (t *table[T]) shard(key string) *shard[T] {
	return &t.shards[maphash.String(t.seed, key)%uint64(len(t.shards))]
}

func (t *table[T]) get(key string) (T, bool) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[key]
	return v, ok
}

// add puts v in, unless the key is taken: then it gives back what is there.
func (t *table[T]) add(key string, v T) (there T, added bool) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if there, taken := s.m[key]; taken {
		return there, false
	}
	s.m[key] = v
	t.count.Add(1)
	return v, true
}

// remove takes v out, if it is v that stands under the key.
func (t *table[T]) remove(key string, v T) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[key] == v {
		delete(s.m, key)
		t.count.Add(-1)
	}
}

func (t *table[T]) each(f func(T)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		all := make([]T, 0, len(s.m))
		for _, v := range s.m {
			all = append(all, v)
		}
		s.mu.Unlock()
		for _, v := range all {
			f(v)
		}
	}
}
