package msrp

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// Byte by byte, in an array: what the spans should be.
func TestSpansAgainstAnArray(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spans
		var have [40]bool
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			from := rapid.IntRange(0, 39).Draw(t, "from")
			to := rapid.IntRange(from, 40).Draw(t, "to")
			fresh := int64(0)
			for i := from; i < to; i++ {
				if !have[i] {
					fresh++
				}
				have[i] = true
			}
			if got := s.add(int64(from), int64(to)); got != fresh {
				t.Fatalf("%d new bytes, not %d", got, fresh)
			}
			var want spans
			for i := 0; i < len(have); i++ {
				if !have[i] {
					continue
				}
				j := i
				for j < len(have) && have[j] {
					j++
				}
				want = append(want, span{int64(i), int64(j)})
				i = j
			}
			if len(s) != len(want) {
				t.Fatalf("%v, want %v", s, want)
			}
			for i := range s {
				if s[i] != want[i] {
					t.Fatalf("%v, want %v", s, want)
				}
			}
			whole := 0
			for whole < len(have) && have[whole] {
				whole++
			}
			for total := range len(have) + 1 {
				if s.whole(int64(total)) != (total <= whole) {
					t.Fatalf("whole(%d) of %v", total, s)
				}
			}
		}
	})
}

// Chunks in any order, some twice, come out as the message.
func TestStreamsPutChunksInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(t, "message")
		type chunk struct{ from, to int }
		var chunks []chunk
		for at := 0; at < len(want); {
			n := rapid.IntRange(1, len(want)-at).Draw(t, "length")
			chunks = append(chunks, chunk{max(0, at-rapid.IntRange(0, 3).Draw(t, "again")), at + n})
			at += n
		}
		chunks = rapid.Permutation(chunks).Draw(t, "order")
		s := NewStream(1000)
		var got bytes.Buffer
		done := make(chan error, 1)
		go func() {
			_, err := io.Copy(&got, s)
			done <- err
		}()
		for _, c := range chunks {
			if _, err := s.WriteAt(bytes.Clone(want[c.from:c.to]), int64(c.from)); err != nil {
				t.Fatal(err)
			}
		}
		s.End(nil)
		if err := <-done; err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%q, %v, want %q", got.Bytes(), err, want)
		}
	})
}

func TestStreamsRefuseWhatIsTooEarly(t *testing.T) {
	s := NewStream(10)
	if _, err := s.WriteAt(make([]byte, 10), 5); err != nil {
		t.Error(err)
	}
	var status *StatusError
	if _, err := s.WriteAt(make([]byte, 1), 20); !errors.As(err, &status) || status.Code != 413 {
		t.Errorf("over the window: %v", err)
	}
	reason := errors.New("broken off")
	s.End(reason)
	if _, err := s.Read(make([]byte, 1)); err != reason {
		t.Errorf("Read: %v", err)
	}
	s = NewStream(10)
	s.Close()
	if _, err := s.WriteAt(make([]byte, 1), 0); !errors.As(err, &status) || status.Code != 413 {
		t.Errorf("closed by its reader: %v", err)
	}
}
