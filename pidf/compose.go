package pidf

import (
	"bytes"
	"cmp"
	"slices"
)

// Share is one input of composition: a publication, or a document that a
// server has composed. Its Source holds for every element of the document that
// does not carry its own, so for the documents of servers that know no Source;
// there an element's own timestamp comes before Received, and the class
// calendar before Kind.
type Share struct {
	Source
	Document Document
}

// Compose makes one document of several:
//
//   - Tuples and devices are united by publication and id. Nothing is merged
//     because it looks alike; ids that collide are marked in a fixed way.
//   - Of the persons one is chosen: by Rank, then the newer, then by content.
//   - A do-not-disturb closes every tuple, whoever published it.
//   - Notes, extensions and attributes of the documents as a whole are united.
//
// The result does not depend on the order of the shares, on how they were
// composed before, or on how often one is among them, as long as no two
// versions of one publication are. Its elements carry their Sources; elements
// stand in the order of publications, and in each as it was published.
func Compose(entity string, shares ...Share) Document {
	return compose(entity, shares, nil)
}

func compose(entity string, shares []Share, log *Explanation) Document {
	d := Document{Entity: entity}
	d.Tuples = union(shares, func(d Document) []Tuple { return d.Tuples }, log)
	d.Persons = choose(union(shares, func(d Document) []Person { return d.Persons }, log), log)
	d.Devices = union(shares, func(d Document) []Device { return d.Devices }, log)
	if len(d.Persons) == 1 && RankOf(d.Persons[0]) == RankDoNotDisturb {
		closeAll(d.Tuples, d.Persons[0], log)
	}
	rename(&d, log)
	uniteRest(&d, shares, log)
	return d
}

// union collects the components of one kind, each once, with sources and plain
// ids.
func union[T component[T]](shares []Share, list func(Document) []T, log *Explanation) []T {
	type key struct{ publication, id string }
	seen := map[key]int{}
	var all []T
	for _, s := range shares {
		for i, v := range list(s.Document) {
			f := v.facts()
			src := sourceOf(f, s.Source, i+1)
			of := src.Publication
			v = v.marked(src).mapIDs(func(id string) string { return plainID(id, of) })
			k := key{of, plainID(f.id, of)}
			at, again := seen[k]
			if !again {
				seen[k] = len(all)
				all = append(all, v)
				continue
			}
			if compareVersions(v, all[at]) > 0 {
				v, all[at] = all[at], v
			}
			log.drop(v.facts(), "union", "the same publication has it already", all[at].facts())
		}
	}
	slices.SortFunc(all, func(a, b T) int {
		fa, fb := a.facts(), b.facts()
		return cmp.Or(cmp.Compare(fa.src.Publication, fb.src.Publication),
			cmp.Compare(fa.src.Position, fb.src.Position), cmp.Compare(fa.id, fb.id))
	})
	for _, v := range all {
		log.keep(v.facts(), "union", "each publication's "+v.facts().kind+"s stand beside the others'")
	}
	return all
}

// sourceOf is whose an element is: what it says, or else its share.
func sourceOf(f facts, share Source, position int) Source {
	src := f.src
	if src.Publication == "" {
		src = Source{Publication: share.Publication, Received: f.at, Kind: share.Kind, Position: position}
		if src.Received.IsZero() {
			src.Received = share.Received
		}
		if src.Kind == "" || f.class == ClassCalendar {
			src.Kind = kindOf(f.class)
		}
	}
	src.Received = src.Received.UTC().Round(0)
	return src
}

// compareVersions orders two elements with the same key: the newer is greater,
// then the greater content. The basic status comes last, so that closing
// tuples before or after makes no difference.
func compareVersions[T component[T]](a, b T) int {
	fa, fb := a.facts(), b.facts()
	if c := fa.src.Received.Compare(fb.src.Received); c != 0 {
		return c
	}
	var ca, cb canon
	a.appendTo(&ca)
	b.appendTo(&cb)
	ca.source(fa.src)
	cb.source(fb.src)
	ca.num(boolNum(a.closed()))
	cb.num(boolNum(b.closed()))
	return bytes.Compare(ca.b, cb.b)
}

func boolNum(b bool) int {
	if b {
		return 1
	}
	return 0
}

// choose leaves one person.
func choose(persons []Person, log *Explanation) []Person {
	if len(persons) == 0 {
		return nil
	}
	// Of persons that say the same it is the first, in the order of union.
	best := slices.MaxFunc(persons, comparePersons)
	for _, p := range persons {
		log.weigh(p.facts(), RankOf(p))
		switch {
		case p.ID == best.ID && p.Source.Publication == best.Source.Publication:
			log.choose(p.facts(), RankOf(p))
		case RankOf(p) < RankOf(best):
			log.drop(p.facts(), "one person", RankOf(best).String()+" outweighs "+RankOf(p).String(), best.facts())
		case p.Source.Received.Before(best.Source.Received):
			log.drop(p.facts(), "one person", "of equal rank ("+RankOf(p).String()+"), and older", best.facts())
		default:
			log.drop(p.facts(), "one person", "of equal rank ("+RankOf(p).String()+") and time; decided by content", best.facts())
		}
	}
	return []Person{best}
}

// closeAll closes tuples because of a person who is not to be disturbed.
func closeAll(tuples []Tuple, because Person, log *Explanation) {
	for i := range tuples {
		if !tuples[i].closed() {
			tuples[i].Basic = Closed
			log.change(tuples[i].facts(), "do-not-disturb", "closed: the person is not to be disturbed", because.facts())
		}
	}
}

// rename marks the ids that occur more than once in the whole document. The
// first keeps its own.
func rename(d *Document, log *Explanation) {
	type use struct{ id, publication string }
	var uses []use
	taken := map[string]bool{}
	visit(d, func(f facts) func(string) string {
		of := f.src.Publication
		return func(id string) string {
			uses = append(uses, use{id, of})
			taken[id] = true
			return id
		}
	}, nil)
	if len(taken) == len(uses) {
		return
	}
	first := map[string]bool{}
	next := 0
	visit(d, func(facts) func(string) string {
		return func(id string) string {
			u := uses[next]
			next++
			if !first[u.id] {
				first[u.id] = true
				return id
			}
			mark := idMark(u.publication)
			for id += mark; taken[id]; id += mark {
			}
			taken[id] = true
			return id
		}
	}, log)
}

// visit maps the ids of every component in order.
func visit(d *Document, f func(facts) func(string) string, log *Explanation) {
	visitList(d.Tuples, f, log)
	visitList(d.Persons, f, log)
	visitList(d.Devices, f, log)
}

func visitList[T component[T]](list []T, f func(facts) func(string) string, log *Explanation) {
	for i, v := range list {
		before := v.facts()
		list[i] = v.mapIDs(f(before))
		if after := list[i].facts(); after.id != before.id {
			log.rename(before, after.id)
		}
	}
}
