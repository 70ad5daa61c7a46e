package registrar

import (
	"errors"
	"testing"
)

func TestForget(t *testing.T) {
	store := &memory{}
	r := New(Config{Store: store}, nil)
	b := newBench(t, r)
	const alice = "sip:alice@example.com"
	b.register("c", "60", "<sip:a@h>", "<sip:b@h>")
	settle(r, alice)
	store.err = errors.New("disk full")
	r.Forget(alice)
	settle(r, alice)
	if n := len(r.Bindings(alice)); n != 2 {
		t.Errorf("%d bindings, and the state has two", n)
	}
	store.err = nil
	r.Forget(alice)
	r.Forget("sip:nobody@example.com")
	settle(r, alice)
	if n := len(r.Bindings(alice)) + len(r.Users()) + len(r.flows); n != 0 || store.commits != 3 {
		t.Errorf("%d are left after %d commits", n, store.commits)
	}
}
