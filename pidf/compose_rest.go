package pidf

import (
	"bytes"
	"cmp"
	"slices"
)

// uniteRest unites what belongs to the documents as a whole. It has no
// publication to be keyed by: what is equal is one, and the order is that of
// the content.
func uniteRest(d *Document, shares []Share, log *Explanation) {
	var notes []keyed[Note]
	var extensions []keyed[Element]
	for _, s := range shares {
		for _, n := range s.Document.Notes {
			var c canon
			c.str(n.Lang)
			c.note(n)
			notes = append(notes, keyed[Note]{c.b, n, s.Publication})
		}
		for _, x := range s.Document.Extensions {
			var c canon
			c.element(x)
			extensions = append(extensions, keyed[Element]{c.b, x, s.Publication})
		}
		for _, a := range s.Document.Attrs {
			d.Attrs = uniteAttr(d.Attrs, a)
		}
	}
	d.Notes = distinct(notes, "note", log)
	d.Extensions = distinct(extensions, "extension", log)
	slices.SortFunc(d.Attrs, func(a, b Attr) int { return compareNames(a.Name, b.Name) })
}

type keyed[T any] struct {
	key         []byte
	value       T
	publication string
}

func distinct[T any](list []keyed[T], kind string, log *Explanation) []T {
	slices.SortStableFunc(list, func(a, b keyed[T]) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.publication, b.publication))
	})
	var out []T
	for i, k := range list {
		f := facts{kind: kind, src: Source{Publication: k.publication}}
		if i > 0 && bytes.Equal(k.key, list[i-1].key) {
			log.drop(f, "union", "said before", facts{kind: kind, src: Source{Publication: list[i-1].publication}})
			continue
		}
		log.keep(f, "union", "of the document as a whole")
		out = append(out, k.value)
	}
	return out
}

// uniteAttr adds an attribute; of two values the greater stays. The spelling
// of the prefix says nothing and is dropped where two disagree.
func uniteAttr(list []Attr, a Attr) []Attr {
	for i := range list {
		if list[i].Name == a.Name {
			list[i].Value = max(list[i].Value, a.Value)
			list[i].Prefix = min(list[i].Prefix, a.Prefix)
			return list
		}
	}
	return append(slices.Clip(list), a)
}
