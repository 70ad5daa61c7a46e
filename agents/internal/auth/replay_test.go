package auth

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReplayAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newReplay(1000, time.Hour)
		seen := map[[2]uint64]bool{}
		top := map[uint64]uint32{}
		for range rapid.IntRange(1, 80).Draw(t, "n") {
			serial := uint64(rapid.IntRange(1, 3).Draw(t, "serial"))
			nc := uint32(rapid.IntRange(1, 200).Draw(t, "nc"))
			key := [2]uint64{serial, uint64(nc)}
			tooOld := top[serial] >= 64 && nc <= top[serial]-64
			want := !seen[key] && !tooOld
			if got := r.use(nonce{made: start, serial: serial}, nc, start); got != want {
				t.Fatalf("nonce %d count %d: %v, want %v", serial, nc, got, want)
			}
			if want {
				seen[key] = true
				top[serial] = max(top[serial], nc)
			}
		}
	})
}

func TestForgottenNoncesAreNeverTakenAgain(t *testing.T) {
	r := newReplay(2, time.Hour)
	use := func(serial uint64) bool { return r.use(nonce{made: start, serial: serial}, 1, start) }
	for serial := uint64(5); serial <= 8; serial++ {
		if !use(serial) {
			t.Fatalf("first use of %d", serial)
		}
	}
	for serial := uint64(1); serial <= 8; serial++ {
		if use(serial) {
			t.Errorf("%d was taken twice, or is older than one that was forgotten", serial)
		}
	}
	if len(r.bySer) > 2 {
		t.Errorf("%d kept", len(r.bySer))
	}
}

func TestExpiredNoncesAreForgotten(t *testing.T) {
	r := newReplay(100, time.Minute)
	for serial := uint64(1); serial <= 50; serial++ {
		r.use(nonce{made: start, serial: serial}, 1, start)
	}
	late := start.Add(2 * time.Minute)
	if !r.use(nonce{made: late, serial: 51}, 1, late) || len(r.bySer) != 1 {
		t.Errorf("%d kept", len(r.bySer))
	}
}
