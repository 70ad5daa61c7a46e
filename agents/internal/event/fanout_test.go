package event

import (
	"fmt"
	"sync"
	"testing"

	"presfed/agents/internal/message"
)

// BenchmarkNotify is what one NOTIFY costs here, from the change of state to its
// answer, the endpoint's part left out.
func BenchmarkNotify(b *testing.B) {
	const watchers = 1000
	var lanes Lanes
	var answered sync.WaitGroup
	body := make([]byte, 1000)
	n := NewNotifier(NotifierConfig{
		Lanes: &lanes,
		Packages: []Package{{
			Name: "presence", Types: []string{"text/plain"},
			Decide: func(*Subscription) (Decision, error) { return Decision{Verdict: Active}, nil },
			Body:   func(*Subscription, bool, uint64) (Body, error) { return Body{Bytes: body}, nil },
		}},
		Send: func(n *Notice, done func(Outcome)) {
			_ = n.Bytes("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKabcdefgh")
			done(Outcome{Status: 200})
			answered.Done()
		},
	})
	for i := range watchers {
		answered.Add(1)
		raw := fmt.Sprintf("SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nFrom: <sip:w%d@example.com>;tag=t\r\nTo: <%s>\r\nCall-ID: c%d\r\n"+
			"CSeq: 1 SUBSCRIBE\r\nContact: <sip:w@127.0.0.1>\r\nEvent: presence\r\n\r\n", alice, i, alice, i)
		m, err := message.Parse([]byte(raw), message.DefaultLimits)
		if err != nil {
			b.Fatal(err)
		}
		r := &request{req: m.(*message.Request), status: make(chan int, 1)}
		n.Subscribe(r, Ask{Resource: alice, Watcher: fmt.Sprint("sip:w", i), Peer: "p", Contact: "<sip:s@127.0.0.1>"})
		if status := <-r.status; status != 200 {
			b.Fatal(status)
		}
	}
	answered.Wait()
	b.ReportAllocs()
	for b.Loop() {
		answered.Add(watchers)
		lanes.Do(alice, func() { n.Changed(alice, "presence", nil) })
		answered.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*watchers), "µs/NOTIFY")
	lanes.Close()
	n.Close()
}
