package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"presfed/agents/client"
)

type agentWatchers struct {
	Type     string           `json:"type"`
	Watchers []client.Watcher `json:"watchers"`
}

// watchers lists who watches the user and who waits for her decision, those who
// wait first.
func (a *agent) watchers(context.Context, []string) error {
	for _, w := range a.device.Watches() {
		if w.Event() != client.WatchersEvent {
			continue
		}
		l := agentWatchers{Type: "watcher-list", Watchers: w.Latest().Watchers()}
		decided := func(w client.Watcher) int {
			if w.State == "active" {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(l.Watchers, func(x, y client.Watcher) int {
			return cmp.Or(cmp.Compare(decided(x), decided(y)), cmp.Compare(x.Entity, y.Entity))
		})
		a.print(l, func(out io.Writer) error {
			var b strings.Builder
			b.WriteString("watcher-list\n")
			for _, w := range l.Watchers {
				fmt.Fprintf(&b, "  %s %s", w.State, printable(w.Entity))
				if w.Name != "" {
					fmt.Fprintf(&b, " %q", w.Name)
				}
				b.WriteByte('\n')
			}
			_, err := io.WriteString(out, b.String())
			return err
		})
		return nil
	}
	return errors.New("the server does not tell who watches, or --watchers=false was given")
}
