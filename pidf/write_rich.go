package pidf

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/beevik/etree"
)

// activities writes one activities element. RFC 4480's schema wants the note
// before the activity, the draft has it after.
func (w *writer) activities(as Activities) *etree.Element {
	e := w.element(Name{NSRPID, "activities"})
	w.attrs(e, as.Attrs)
	if w.dialect == Standard {
		w.notes(e, 3, NSRPID, as.Notes)
	}
	for _, a := range as.Items {
		add(e, 3, w.activity(a)...)
	}
	if w.dialect == Draft {
		w.notes(e, 3, NSRPID, as.Notes)
	}
	return closeTag(e, 2)
}

// activity writes one activity. RFC 4480 has no available and no
// do-not-disturb (see Draft): the first is an other, the second an other after
// a busy, so that a watcher who does not know it still sees busy.
func (w *writer) activity(a Activity) []*etree.Element {
	if !a.Foreign.IsZero() {
		return []*etree.Element{w.extension(a.Foreign)}
	}
	if w.dialect == Standard && (a.Name == Available || a.Name == DoNotDisturb) {
		other := w.leaf(Name{NSRPID, Other}, a.Name, a.Attrs)
		if a.Name == Available {
			return []*etree.Element{other}
		}
		return []*etree.Element{w.element(Name{NSRPID, Busy}), other}
	}
	return []*etree.Element{w.leaf(Name{NSRPID, a.Name}, a.Text, a.Attrs)}
}

// capabilities writes servcaps in the sequence that RFC 5196's schema
// prescribes.
func (w *writer) capabilities(c *Capabilities) *etree.Element {
	e := w.element(Name{NSCaps, "servcaps"})
	w.attrs(e, c.Attrs)
	var items []item
	for i, f := range c.Features {
		name := Name{NSCaps, f.Name}
		items = append(items, item{name, w.leaf(name, strconv.FormatBool(f.Supported), c.rest.attrsOf(name, i))})
	}
	for i, t := range c.Types {
		name := Name{NSCaps, "type"}
		items = append(items, item{name, w.leaf(name, t, c.rest.attrsOf(name, i))})
	}
	for _, n := range c.Descriptions {
		name := Name{NSCaps, "description"}
		items = append(items, item{name, w.note(name, n)})
	}
	for _, x := range c.Extensions {
		items = append(items, item{x.Name(), w.extension(x)})
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(capsRank(a.name), capsRank(b.name)) })
	for _, it := range items {
		add(e, 3, it.e)
	}
	return closeTag(e, 2)
}
