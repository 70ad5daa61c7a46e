package model

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"presfed/agents/client"
)

// settle waits until every watcher's last document is what it must be.
func (w *world) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	for _, x := range w.watches() {
		if x.s == nil {
			continue
		}
		for {
			wrong := w.differs(x)
			if wrong == "" {
				break
			}
			if err := w.wait(ctx); err != nil {
				return fmt.Errorf("%s, after %s: %s", x, time.Since(began).Round(time.Millisecond), wrong)
			}
		}
	}
	for _, x := range w.watches() { // what was right before may be wrong by now
		if x.s != nil {
			if wrong := w.differs(x); wrong != "" {
				return w.settle(ctx)
			}
		}
	}
	w.expiring = slices.DeleteFunc(w.expiring, func(e expiring) bool {
		over := time.Now().After(e.until)
		if over {
			w.stamp++
			e.of.bury(e.token, w.stamp)
		}
		return over
	})
	for _, x := range w.watches() {
		if err := w.review(x); err != nil {
			return fmt.Errorf("%s: %w", x, err)
		}
	}
	if err := w.alike(); err != nil {
		return err
	}
	w.slowest = max(w.slowest, time.Since(began))
	w.settled++
	return nil
}

// wait waits for news, or a moment, since not all that settles is an event.
func (w *world) wait(ctx context.Context) error {
	select {
	case <-w.news:
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// differs says in what a watcher's last document is not what it must be; "": in
// nothing.
func (w *world) differs(x *watch) string {
	x.by.mu.Lock()
	last := x.last
	x.by.mu.Unlock()
	got, err := viewOf(last.State, last.Body)
	if err != nil {
		return err.Error()
	}
	want := w.expected(x)
	switch {
	case !w.reaches(x):
		return w.stale(x, got, last.Time)
	case x.of.denied[x.by.user] && got.state == terminated && last.Reason == "rejected":
		return "" // though she may watch again by now
	case x.left && got.state == terminated && last.Reason == "deactivated":
		return ""
	case x.over:
		return "she sees " + got.String() + "\nand is not told to subscribe anew"
	case got.state == terminated && last.Reason != "rejected":
		return "her subscription has ended: " + last.Reason
	}
	if slices.Contains(want, got) {
		return ""
	}
	var all []string
	for _, v := range want {
		all = append(all, v.String())
	}
	return fmt.Sprintf("she sees %s\nnot %s", got, strings.Join(all, "\nnor "))
}

// stale says what is wrong with what a watcher was shown: something that was gone
// when she was settled last. What came and went in between she may hear of a
// little later, where it is as it was; and where a link or a server is back, a share
// from before may still be there, if what she is shown hid it.
func (w *world) stale(x *watch, v view, at time.Time) string {
	for _, token := range tokens.FindAllString(v.shows, -1) {
		if !slices.ContainsFunc(x.of.tokens, func(m marked) bool {
			return m.token == token && (m.gone >= x.from || m.gone >= x.prior && at.Sub(m.at) < late || at.Sub(w.mended) < late)
		}) {
			return token + " has come back: " + v.String()
		}
	}
	return ""
}

// late is how much later.
const late = time.Second

// stepped counts a step for each watcher.
func (w *world) stepped() {
	for _, x := range w.watches() {
		x.steps++
	}
}

var tokens = regexp.MustCompile(`v[0-9]+-[0-9]+`)

// review looks at all that a watcher heard since the last settling: nothing that
// was gone by then, nothing twice, and not too often. Then it starts anew.
func (w *world) review(x *watch) error {
	x.by.mu.Lock()
	defer x.by.mu.Unlock()
	heard, steps := x.heard, x.steps
	x.heard, x.steps = nil, 0
	if x.s == nil {
		return nil
	}
	for _, e := range heard {
		v, err := viewOf(e.State, e.Body)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, e.Body)
		}
		if wrong := w.stale(x, v, e.Time); wrong != "" {
			return fmt.Errorf("%s\n%s", wrong, e.Body)
		}
	}
	if len(heard) > most*(steps+2) {
		return fmt.Errorf("%d NOTIFYs for %d steps:\n%s", len(heard), steps, listed(heard))
	}
	w.busiest = max(w.busiest, float64(len(heard))/float64(steps+2))
	if !w.reaches(x) {
		return nil
	}
	x.from, x.prior, x.left = w.stamp, x.from, x.over
	if x.last.State == terminated {
		x.s = nil
	}
	return nil
}

// most is how many NOTIFYs may come for each step, and for two more.
const most = 4

func listed(heard []client.Event) string {
	var out strings.Builder
	for _, e := range heard {
		v, _ := viewOf(e.State, e.Body)
		fmt.Fprintln(&out, e.Time.Format("05.000"), v)
	}
	return out.String()
}

// alike: who sees the same of a user sees the same document, whichever server
// she asks.
func (w *world) alike() error {
	bodies := map[string]string{}
	for _, x := range w.watches() {
		x.by.mu.Lock()
		last := x.last
		x.by.mu.Unlock()
		if x.s == nil || !w.reaches(x) || last.Body == "" {
			continue
		}
		v, err := viewOf(last.State, last.Body)
		if err != nil {
			return err
		}
		key := x.of.name + v.String()
		if first, ok := bodies[key]; !ok {
			bodies[key] = last.Body
		} else if first != last.Body {
			return fmt.Errorf("%s sees another document than others who see the same:\n%s\n%s", x, last.Body, first)
		}
	}
	return nil
}
