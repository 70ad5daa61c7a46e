package event

import (
	"maps"
	"slices"
)

// Watchers are those who are subscribed to something, in no order.
func (n *Notifier) Watchers() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.watchers))
}

// Dismiss ends every subscription of a watcher who may not watch anybody any
// more: "rejected" (RFC 6665 section 4.1.3). It returns at once.
func (n *Notifier) Dismiss(watcher string) {
	for _, resource := range n.watched(watcher) {
		n.cfg.Lanes.Do(resource, func() {
			n.Terminate(resource, "rejected", 0, func(s *Subscription) bool { return s.rec.Watcher == watcher })
		})
	}
}

// watched are the resources that a watcher is subscribed to.
func (n *Notifier) watched(watcher string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watchers[watcher] == 0 {
		return nil
	}
	resources := map[string]struct{}{}
	for _, s := range n.dialogs {
		if s.rec.Watcher == watcher {
			resources[s.rec.Resource] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(resources))
}
