package figures

import "time"

// stormPhase is what came of the requests of one while.
type stormPhase struct {
	began, ended                 time.Time
	offered, good, late          int             // 2xx in time, and not
	refused, bare, other, unread int             // 503 with Retry-After and without, others, none
	idle                         int             // not offered: nobody was free
	took                         []time.Duration // of the good ones
	seconds                      []stormSecond   // by when it was due
	statuses                     map[int]int
	cpu                          time.Duration // of the server
	resident                     int           // of the server, MiB
}

type stormSecond struct {
	good, rest int
	longest    time.Duration
}

// inTime is how late an answer is of use; longer waits a user does not.
const inTime = time.Second

func (p *stormPhase) answered(status int, took time.Duration, retry bool, due time.Time) {
	p.statuses[status]++
	i := int(due.Sub(p.began) / time.Second)
	for len(p.seconds) <= i {
		p.seconds = append(p.seconds, stormSecond{})
	}
	sec := &p.seconds[i]
	switch {
	case status/100 == 2 && took <= inTime:
		p.good++
		sec.good++
		sec.longest = max(sec.longest, took)
		p.took = append(p.took, took)
		return
	case status/100 == 2:
		p.late++
	case status == 503 && retry:
		p.refused++
	case status == 503:
		p.bare++
	default:
		p.other++
	}
	sec.rest++
}

func (p *stormPhase) perSecond() float64 { return float64(p.good) / p.ended.Sub(p.began).Seconds() }

// perCPU is by the second of the server's processor time.
func (p *stormPhase) perCPU() float64 { return float64(p.good) / max(p.cpu.Seconds(), 0.01) }

func (p *stormPhase) share(n int) float64 { return 100 * float64(n) / float64(max(1, p.offered)) }

// normal is how long it took until there was a second as it should be.
func (p *stormPhase) normal(longest time.Duration) time.Duration {
	for i, s := range p.seconds {
		if s.good > 0 && s.rest == 0 && s.longest <= longest {
			return time.Duration(i) * time.Second
		}
	}
	return time.Hour
}
