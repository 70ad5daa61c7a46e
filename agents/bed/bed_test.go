package bed_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/bed"
	"presfed/agents/flow"
	"presfed/agents/internal/wire"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func up(t *testing.T, o bed.Options) *bed.Bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := bed.Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Down(ctx); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	return b
}

// Every device registers, and both ends record every message.
func TestRegister(t *testing.T) {
	for name, o := range map[string]bed.Options{"addresses": {}, "ports": {Ports: true}} {
		t.Run(name, func(t *testing.T) {
			b := up(t, o)
			for _, name := range []string{"alice-pc", "alice-phone", "bob-pc", "bob-phone"} {
				a, err := b.Actor(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Register(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			records := awaitRecords(t, b, 32) // 4 REGISTERs, challenged and accepted, at two sockets
			for _, r := range records {
				other := 0
				for _, o := range records {
					if o.Direction != r.Direction && o.Participant != r.Participant && bytes.Equal(o.Raw, r.Raw) {
						other++
					}
				}
				if other != 1 {
					t.Errorf("%s %s recorded %d times at the other end:\n%s", r.Participant, r.Direction, other, r.Raw)
				}
			}
		})
	}
}

func awaitRecords(t *testing.T, b *bed.Bed, n int) []wire.Record {
	t.Helper()
	for end := time.After(20 * time.Second); ; {
		records, more := b.Records()
		if len(records) >= n {
			return records
		}
		select {
		case <-more:
		case <-end:
			t.Fatalf("%d records, want %d", len(records), n)
		}
	}
}

// The flows run as they are drawn, in any order on one bed.
func TestFlows(t *testing.T) {
	for name, c := range map[string]struct {
		options bed.Options
		order   string
	}{
		"partitioned":                          {bed.Options{}, "4.1.1 4.1.2 4.1.3 4.1.4"},
		"partitioned, synchronised, shuffled":  {bed.Options{Synchronised: true}, "4.1.3 4.1.4 4.1.1 4.1.2 4.1.4"},
		"partitioned, ports, each twice":       {bed.Options{Ports: true}, "4.1.4 4.1.4 4.1.1 4.1.1 4.1.2 4.1.2 4.1.3 4.1.3"},
		"hierarchical":                         {bed.Options{}, "4.2.1.1 4.2.1.2 4.2.1.3 4.2.1.4"},
		"hierarchical, synchronised, shuffled": {bed.Options{Synchronised: true}, "4.2.1.4 4.2.1.3 4.2.1.2 4.2.1.1"},
		"hierarchical, ports, each twice":      {bed.Options{Ports: true}, "4.2.1.3 4.2.1.3 4.2.1.4 4.2.1.4 4.2.1.1 4.2.1.1 4.2.1.2 4.2.1.2"},
		"peer":                                 {bed.Options{}, "4.2.2.1 4.2.2.2 4.2.2.3"},
		"peer, synchronised, shuffled":         {bed.Options{Synchronised: true}, "4.2.2.2 4.2.2.3 4.2.2.1"},
		"peer, ports, each twice":              {bed.Options{Ports: true}, "4.2.2.3 4.2.2.3 4.2.2.2 4.2.2.2 4.2.2.1 4.2.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, _, _ := strings.Cut(name, ",")
			c.options.Model = routing.Model(model)
			c.options.ShareLinger = 20 * time.Millisecond
			b := up(t, c.options)
			r := flow.NewRunner(b, flow.Settings{})
			for id := range strings.FieldsSeq(c.order) {
				f, _ := flow.Show(id)
				result, err := r.Run(t.Context(), f)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				explain(t, result)
			}
		})
	}
}

// explain says what is wrong with a flow.
func explain(t *testing.T, r flow.Result) {
	t.Helper()
	v := r.Verdict
	if v.OK {
		return
	}
	t.Errorf("%s: missing %v, unexpected %v, out of order %v, %d failed checks", v.Flow, v.Missing, v.Unexpected, v.OutOfOrder, v.FailedChecks)
	for _, c := range r.Checks {
		if !c.OK {
			t.Errorf("%s %s %q: got %q", c.Flow, c.F, c.Check, c.Got)
		}
	}
	for _, m := range r.Messages {
		if m.Undrawn != flow.Setup {
			t.Logf("%-4s %-12s %s > %s %s %s", m.F, m.Undrawn, m.From, m.To, m.Transport, m.StartLine)
		}
	}
}

func TestNobodyIsCalledSo(t *testing.T) {
	b := up(t, bed.Options{})
	if _, err := b.Actor("carol-pc"); err == nil {
		t.Error("carol-pc is no device")
	}
}
