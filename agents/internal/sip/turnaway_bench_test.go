package sip

import (
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// What a refusal costs, apart from the socket, beside what parsing alone does.
func BenchmarkRefusal(b *testing.B) {
	e, err := New(Config{Handler: &handler{}})
	if err != nil {
		b.Fatal(err)
	}
	p := &e.pressure
	p.rate, p.since, p.answered = 100, time.Now().Add(time.Hour), time.Now().Add(time.Hour)
	p.over.Store(true)
	p.waiting.Add(50)
	raw := []byte(wireRequest("PUBLISH", "z9hG4bK1", "Contact: <sip:a@b>\r\nUser-Agent: a device\r\nExpires: 3600\r\nEvent: presence\r\nContent-Length: 0\r\n"))
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !e.turnAway(raw, nowhere{}) {
				b.Fatal("taken up")
			}
		}
	})
	b.Run("parsed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := message.Parse(raw, message.DefaultLimits); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type nowhere struct{}

func (nowhere) send([]byte) error     { return nil }
func (nowhere) source() Source        { return Source{Transport: "UDP"} }
func (nowhere) reliable() bool        { return false }
func (nowhere) watch(*ClientTx) error { return nil }
func (nowhere) unwatch(*ClientTx)     {}
