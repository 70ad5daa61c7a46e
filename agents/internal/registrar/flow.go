package registrar

import (
	"slices"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// hopOf is the way back to a device: its connection. Datagrams have none and go
// to the contact.
func hopOf(from sip.Source) sip.Target {
	if from.Flow == 0 {
		return sip.Target{}
	}
	return sip.Target{Flow: from.Flow, Transport: from.Transport}
}

// Live is the open connection by which the user's device with this contact came
// last; ok is false where there is none. The user is asked for, since a contact
// is only as good as the claim of who registered it.
func (r *Registrar) Live(aor string, contact message.URI) (hop sip.Target, ok bool) {
	bindings := r.Bindings(aor)
	if len(bindings) == 0 { // as for many a NOTIFY
		return sip.Target{}, false
	}
	key := contactKey(contact)
	for _, b := range bindings {
		if b.key == key {
			return b.Hop, b.Hop.Flow != 0
		}
	}
	return sip.Target{}, false
}

// Closed forgets a connection that is gone. The bindings stay until they expire:
// the device may register again, or be reached at its contact.
func (r *Registrar) Closed(flow sip.Flow) {
	if flow == 0 {
		return
	}
	r.mu.Lock()
	users := r.flows[flow]
	delete(r.flows, flow)
	r.mu.Unlock()
	for aor := range users {
		r.lanes.Do(aor, func(done func()) {
			defer done()
			r.mu.Lock()
			list := slices.Clone(r.users[aor])
			for i := range list {
				if list[i].Hop.Flow == flow {
					list[i].Hop = sip.Target{}
				}
			}
			if len(list) > 0 {
				r.users[aor] = list
			}
			r.mu.Unlock()
			r.changed(aor)
		})
	}
}

// follow keeps account of the connections of a user; the lock is held.
func (r *Registrar) follow(aor string, before, after []Binding) {
	for _, b := range before {
		delete(r.flows[b.Hop.Flow], aor)
		if len(r.flows[b.Hop.Flow]) == 0 {
			delete(r.flows, b.Hop.Flow)
		}
	}
	for _, b := range after {
		if b.Hop.Flow == 0 {
			continue
		}
		if r.flows[b.Hop.Flow] == nil {
			r.flows[b.Hop.Flow] = map[string]struct{}{}
		}
		r.flows[b.Hop.Flow][aor] = struct{}{}
	}
}
