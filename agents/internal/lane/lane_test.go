package lane

import (
	"sync"
	"testing"
)

func TestJobsOfOneKeyRunInOrderAndAlone(t *testing.T) {
	var lanes Lanes
	const jobs = 2000
	var wg sync.WaitGroup
	wg.Add(jobs)
	var seen []int // written without a lock: only the lane keeps it safe
	for i := range jobs {
		lanes.Do("k", func(done func()) {
			seen = append(seen, i)
			finish := func() { done(); wg.Done() }
			if i%3 == 0 {
				go finish()
				return
			}
			finish()
		})
	}
	wg.Wait()
	for i, n := range seen {
		if i != n {
			t.Fatalf("job %d ran as number %d", n, i)
		}
	}
	if len(seen) != jobs || len(lanes.queues.waiting) != 0 {
		t.Errorf("%d jobs ran, %d lanes are left", len(seen), len(lanes.queues.waiting))
	}
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	var lanes Lanes
	var release func()
	lanes.Do("slow", func(done func()) { release = done })
	ran := false
	lanes.Do("quick", func(done func()) { ran = true; done() })
	if !ran {
		t.Error("a busy lane held another up")
	}
	lanes.Do("slow", func(done func()) { done() })
	if lanes.Waiting("slow") != 1 {
		t.Errorf("%d wait", lanes.Waiting("slow"))
	}
	release()
	if lanes.Waiting("slow") != 0 {
		t.Error("the lane is not free")
	}
}
