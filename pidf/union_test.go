package pidf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A union in small: servers that hold a user's publications and tell each other
// their own shares over links that take their time, lose what was on the way
// when they are cut, and keep the order. Nothing of it composes but Compose and
// DevicePolicy, and nothing but the reference says what has to come out.

type member struct {
	pubs     []publication
	mirrors  bool             // the device policy is on
	foreign  bool             // another vendor's: it does not say whose an element is
	heard    map[int]Document // others' own shares, as last received
	serial   int
	shareNow []byte // as last sent
}

type servers struct {
	members []*member
	links   map[link]*wire
	now     int
}

type link struct{ from, to int }

type wire struct {
	cut     bool
	pending [][]byte
}

// newServers makes a union in which the peers, or the root alone, hear of all;
// in the second form the children may hear of the root, for their policy.
func newServers(t *rapid.T, hierarchical bool) *servers {
	u := &servers{links: map[link]*wire{}}
	n := rapid.IntRange(2, 4).Draw(t, "servers")
	fromRoot := rapid.Bool().Draw(t, "children hear the root")
	for i := range n {
		u.members = append(u.members, &member{mirrors: rapid.Bool().Draw(t, "mirrors"), heard: map[int]Document{}})
		for j := range n {
			if i != j && (!hierarchical || j == 0 || i == 0 && fromRoot) {
				u.links[link{i, j}] = &wire{}
			}
		}
	}
	return u
}

// others are what a server has heard, each as a share.
func (m *member) others() []Share {
	var list []Share
	for _, i := range sortedKeys(m.heard) {
		list = append(list, Share{Source: Source{Publication: fmt.Sprint("at ", i)}, Document: m.heard[i]})
	}
	return list
}

func (m *member) own() Document {
	var shares []Share
	for _, p := range m.pubs {
		shares = append(shares, p.share())
	}
	return Compose(alice, shares...)
}

// share is what a server tells the others.
func (m *member) share() Document {
	d := m.own()
	if m.mirrors {
		d, _, _ = DevicePolicy(d, m.others()...)
	}
	return d
}

// view is what a server shows to watchers.
func (m *member) view() Document {
	return Compose(alice, append([]Share{{Document: m.own()}}, m.others()...)...)
}

// tell sends a server's share to who hears it, if it has changed.
func (u *servers) tell(i int) {
	m := u.members[i]
	d := m.share()
	if m.foreign {
		d = d.WithoutSources()
	}
	share := Write(d, Dialect(i%2))
	if bytes.Equal(share, m.shareNow) {
		return
	}
	m.shareNow = share
	for l, w := range u.links {
		if l.from == i && !w.cut {
			w.pending = append(w.pending, share)
		}
	}
}

// deliver lets the oldest message of a link arrive.
func (u *servers) deliver(t *rapid.T, l link) {
	w := u.links[l]
	u.members[l.to].heard[l.from] = mustParseIn(t, w.pending[0])
	w.pending = w.pending[1:]
	u.tell(l.to)
}

// cut ends a back-end subscription: what it said goes.
func (u *servers) cut(l link) {
	u.links[l].cut, u.links[l].pending = true, nil
	delete(u.members[l.to].heard, l.from)
	u.tell(l.to)
}

func (u *servers) heal(l link) {
	if w := u.links[l]; w.cut {
		w.cut = false
		w.pending = append(w.pending, u.members[l.from].shareNow)
	}
}

// drain heals everything and delivers, link by link in an order that is drawn,
// until nothing is on the way. What goes round for ever fails.
func (u *servers) drain(t *rapid.T) {
	for _, l := range u.all(func(w *wire) bool { return w.cut }) {
		u.heal(l)
	}
	for range 1000 {
		waiting := u.all(func(w *wire) bool { return len(w.pending) > 0 })
		if len(waiting) == 0 {
			return
		}
		u.deliver(t, rapid.SampledFrom(waiting).Draw(t, "arrives"))
	}
	t.Fatal("the servers do not come to rest")
}

// all are the links of which something holds, in a fixed order.
func (u *servers) all(holds func(*wire) bool) []link {
	var list []link
	for l, w := range u.links {
		if holds(w) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b link) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	return list
}

// step is one thing that happens somewhere.
func (u *servers) step(t *rapid.T) {
	i := rapid.IntRange(0, len(u.members)-1).Draw(t, "server")
	m := u.members[i]
	u.now += rapid.IntRange(0, 1).Draw(t, "time passes")
	pick := func() int { return rapid.IntRange(0, len(m.pubs)-1).Draw(t, "publication") }
	switch what := rapid.SampledFrom([]string{"publish", "replace", "disturb", "disturb", "withdraw", "arrive", "arrive", "arrive", "cut", "heal"}).Draw(t, "what"); {
	case what == "publish" && len(m.pubs) < 3:
		m.serial++
		m.pubs = append(m.pubs, drawPublication(t, fmt.Sprintf("s%d-%d", i, m.serial), u.now))
	case what == "replace" && len(m.pubs) > 0:
		at := pick()
		m.pubs[at] = drawPublication(t, m.pubs[at].key, u.now)
	case what == "disturb" && len(m.pubs) > 0: // sets it or clears it
		at := pick()
		m.pubs[at] = m.pubs[at].toggled(u.now)
	case what == "withdraw" && len(m.pubs) > 0:
		at := pick()
		m.pubs = slices.Delete(m.pubs, at, at+1)
	case what == "arrive":
		if waiting := u.all(func(w *wire) bool { return len(w.pending) > 0 }); len(waiting) > 0 {
			u.deliver(t, rapid.SampledFrom(waiting).Draw(t, "arrives"))
		}
	case what == "cut":
		if whole := u.all(func(w *wire) bool { return !w.cut }); len(whole) > 0 {
			u.cut(rapid.SampledFrom(whole).Draw(t, "cut"))
		}
	case what == "heal":
		if broken := u.all(func(w *wire) bool { return w.cut }); len(broken) > 0 {
			u.heal(rapid.SampledFrom(broken).Draw(t, "healed"))
		}
	}
	u.tell(i)
}

// toggled is the publication with its do-not-disturb set or taken back.
func (p publication) toggled(now int) publication {
	out := publication{key: p.key, received: now, calendar: p.calendar, note: p.note}
	said := false
	for _, r := range p.elements {
		r.received = now
		if r.kind == "person" {
			said = true
			if r.says == "do-not-disturb" {
				r.says = "available"
			} else {
				r.says = "do-not-disturb"
			}
		}
		out.elements = append(out.elements, r)
	}
	if !said {
		out.elements = append(out.elements, record{kind: "person", pub: p.key, received: now, calendar: p.calendar, position: 1, id: "p", says: "do-not-disturb"})
	}
	return out
}

// at rest: every server that composes shows the same bytes, those of one server
// that had all the publications, and the reference agrees; every share is what
// its own devices and the policy make of it.
func (u *servers) atRest(t *rapid.T, hierarchical bool) {
	var pubs []publication
	for _, m := range u.members {
		pubs = append(pubs, m.pubs...)
	}
	alone := &member{pubs: pubs}
	want := Write(alone.view().WithoutSources(), Standard)
	for i, m := range u.members {
		if hierarchical && i != 0 {
			continue
		}
		againstReference(t, m.view(), pubs)
		if got := Write(m.view().WithoutSources(), Standard); !bytes.Equal(got, want) {
			t.Fatalf("server %d shows\n%s\none server with everything\n%s", i, got, want)
		}
	}
	for i, m := range u.members {
		u.shareHolds(t, i, m)
	}
}

// shareHolds: of its own publications alone, and closed only by its own
// do-not-disturb or, where it mirrors, by a device's that another server shows.
func (u *servers) shareHolds(t *rapid.T, i int, m *member) {
	quiet := false
	for _, other := range sortedKeys(m.heard) {
		if m.mirrors {
			for _, line := range reference(u.members[other].pubs) {
				quiet = quiet || u.deviceSays(line)
			}
		}
	}
	want := slices.Clone(m.pubs)
	for at := range want {
		want[at].elements = slices.Clone(want[at].elements)
		for r := range want[at].elements {
			if quiet && want[at].elements[r].kind == "tuple" {
				want[at].elements[r].open = false
			}
		}
	}
	againstReference(t, m.share(), want)
}

// deviceSays reads a line of the reference: a person, chosen at one server, of a
// device that says do-not-disturb. Of persons that only content can choose
// between, which the reference does not know, the composer's is taken.
func (u *servers) deviceSays(line string) bool {
	var shown []string
	for _, m := range u.members {
		if p, ok := m.own().Person(); ok {
			shown = append(shown, fmt.Sprintf("person %s %s", p.Source.Publication, "do-not-disturb"))
		}
	}
	for _, m := range u.members {
		for _, p := range m.pubs {
			mine := fmt.Sprintf("person %s do-not-disturb", p.key)
			if !p.calendar && slices.Contains(shown, mine) && slices.Contains(alternatives(line), mine) {
				return true
			}
		}
	}
	return false
}

// clearAll: whoever still asks not to be disturbed takes it back, and nothing
// is left of it anywhere.
func (u *servers) clearAll(t *rapid.T) {
	u.now++
	for i, m := range u.members {
		for at, p := range m.pubs {
			if slices.ContainsFunc(p.elements, func(r record) bool { return r.says == "do-not-disturb" }) {
				m.pubs[at] = p.toggled(u.now)
			}
		}
		u.tell(i)
	}
	u.drain(t)
	for i, m := range u.members {
		if clean, got := m.own(), m.share(); !got.Equal(clean) {
			t.Fatalf("server %d says\n%s\nafter its devices said\n%s", i, Write(got, Standard), Write(clean, Standard))
		}
	}
}

func TestUnion(t *testing.T) {
	for _, hierarchical := range []bool{false, true} {
		t.Run(map[bool]string{false: "peer", true: "hierarchical"}[hierarchical], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				u := newServers(t, hierarchical)
				for i := range u.members {
					u.tell(i)
				}
				for range rapid.IntRange(1, 3).Draw(t, "rests") {
					for range rapid.IntRange(1, 20).Draw(t, "steps") {
						u.step(t)
					}
					u.drain(t)
					u.atRest(t, hierarchical)
				}
				u.clearAll(t)
				u.atRest(t, hierarchical)
			})
		})
	}
}

func sortedKeys(m map[int]Document) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func alternatives(line string) []string { return strings.Split(line, " or ") }
