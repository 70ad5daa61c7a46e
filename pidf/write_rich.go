package pidf

import (
	"cmp"
	"slices"
	"strconv"
)

// activities writes one activities element. RFC 4480's schema wants the note
// before the activity, the draft has it after.
func (w *writer) activities(as Activities) {
	name := Name{NSRPID, "activities"}
	w.start(2, name)
	w.attrs(as.Attrs)
	if w.dialect == Standard {
		w.notes(3, NSRPID, as.Notes)
	}
	for _, a := range as.Items {
		w.activity(a)
	}
	if w.dialect == Draft {
		w.notes(3, NSRPID, as.Notes)
	}
	w.end(2, name)
}

// activity writes one activity. RFC 4480 has no available and no
// do-not-disturb (see Draft): the first is an other, the second an other after
// a busy, so that a watcher who does not know it still sees busy.
func (w *writer) activity(a Activity) {
	switch {
	case !a.Foreign.IsZero():
		w.extension(3, a.Foreign)
	case w.dialect == Standard && (a.Name == Available || a.Name == DoNotDisturb):
		if a.Name == DoNotDisturb {
			w.leaf(3, Name{NSRPID, Busy}, "", nil)
		}
		w.leaf(3, Name{NSRPID, Other}, a.Name, a.Attrs)
	default:
		w.leaf(3, Name{NSRPID, a.Name}, a.Text, a.Attrs)
	}
}

// capabilities writes servcaps in the sequence that RFC 5196's schema
// prescribes.
func (w *writer) capabilities(c *Capabilities) {
	name := Name{NSCaps, "servcaps"}
	w.start(2, name)
	w.attrs(c.Attrs)
	var items []item
	for i, f := range c.Features {
		name := Name{NSCaps, f.Name}
		items = append(items, item{name, func() { w.leaf(3, name, strconv.FormatBool(f.Supported), c.rest.attrsOf(name, i)) }})
	}
	for i, t := range c.Types {
		name := Name{NSCaps, "type"}
		items = append(items, item{name, func() { w.leaf(3, name, t, c.rest.attrsOf(name, i)) }})
	}
	for _, n := range c.Descriptions {
		name := Name{NSCaps, "description"}
		items = append(items, item{name, func() { w.note(3, name, n) }})
	}
	for _, x := range c.Extensions {
		items = append(items, item{x.Name(), func() { w.extension(3, x) }})
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(capsRank(a.name), capsRank(b.name)) })
	for _, it := range items {
		it.write()
	}
	w.end(2, name)
}
