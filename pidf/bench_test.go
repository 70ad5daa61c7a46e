package pidf

import (
	"fmt"
	"testing"
)

// What one change of one publication costs: parsed once, composed once,
// serialised once for each distinct view.
func BenchmarkParse(b *testing.B) {
	data := readFile(b, "testdata/rfc/rfc4480-1.xml")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	d := mustParse(b, readFile(b, "testdata/rfc/rfc4480-1.xml"))
	b.ReportAllocs()
	for b.Loop() {
		Write(d, Standard)
	}
}

func BenchmarkParseFlow(b *testing.B) {
	data := Write(phone(), Standard)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	for _, n := range []int{1, 3, 10} {
		b.Run(fmt.Sprintf("shares=%d", n), func(b *testing.B) {
			var shares []Share
			for i := range n {
				doc := pc(StatusAway, "note")
				doc.Tuples = append(doc.Tuples, phone().Tuples...)
				shares = append(shares, Share{Document: Stamp(doc, device(fmt.Sprint("key", i), i))})
			}
			b.ReportAllocs()
			for b.Loop() {
				Compose(alice, shares...)
			}
		})
	}
}
