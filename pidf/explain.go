package pidf

import (
	"slices"
	"time"
)

// Explanation says for each element of the shares whose it is and which rule
// let it in or dropped it. Its JSON form is what a command prints.
type Explanation struct {
	Entity    string     `json:"entity"`
	Decisions []Decision `json:"elements"`
}

// Decision is what happened to one element.
type Decision struct {
	Element     string    `json:"element"`       // tuple, person, device, note, extension
	ID          string    `json:"id,omitempty"`  // in the composed document, where kept
	Was         string    `json:"was,omitempty"` // id in its publication, where that is another
	Publication string    `json:"publication,omitempty"`
	Kind        Kind      `json:"kind,omitempty"`
	Received    time.Time `json:"received,omitzero"`
	Kept        bool      `json:"kept"`
	Rank        string    `json:"rank,omitempty"` // of a person
	Steps       []Step    `json:"rules"`
}

// Step is one rule at work on an element.
type Step struct {
	Rule    string `json:"rule"` // union, one person, do-not-disturb, ids, device policy
	Because string `json:"because"`
	ByID    string `json:"by_id,omitempty"` // the element that decided, where one did
	By      string `json:"by_publication,omitempty"`
}

// Explain composes as Compose does, and says how.
func Explain(entity string, shares ...Share) (Document, Explanation) {
	log := &Explanation{Entity: entity, Decisions: []Decision{}}
	return compose(entity, shares, log), *log
}

// With adds what another explanation says of the elements that this one keeps:
// how a DevicePolicy came to them before they were composed.
func (x Explanation) With(more Explanation) Explanation {
	plain := func(d Decision) string { return plainID(d.ID, d.Publication) }
	x.Decisions = slices.Clone(x.Decisions)
	for _, m := range more.Decisions {
		i := slices.IndexFunc(x.Decisions, func(d Decision) bool {
			return d.Kept && d.Element == m.Element && d.Publication == m.Publication && plain(d) == plain(m)
		})
		if i >= 0 {
			x.Decisions[i].Steps = slices.Concat(m.Steps, x.Decisions[i].Steps)
		}
	}
	return x
}

// The methods below record; on a nil Explanation they do nothing.

func (x *Explanation) keep(f facts, rule, because string) {
	if x != nil {
		x.add(f, true, Step{Rule: rule, Because: because})
	}
}

// drop records that an element is not in the result. An element that was let
// in before is found again and turned round.
func (x *Explanation) drop(f facts, rule, because string, by facts) {
	if x == nil {
		return
	}
	step := Step{rule, because, by.id, by.src.Publication}
	if d := x.find(f); d != nil && rule != "union" {
		d.Kept = false
		d.Steps = append(d.Steps, step)
		return
	}
	x.add(f, false, step)
}

func (x *Explanation) change(f facts, rule, because string, by facts) {
	if x == nil {
		return
	}
	if d := x.find(f); d != nil {
		d.Steps = append(d.Steps, Step{rule, because, by.id, by.src.Publication})
	}
}

// weigh records the rank of a person, chosen or not.
func (x *Explanation) weigh(f facts, r Rank) {
	if x == nil {
		return
	}
	if d := x.find(f); d != nil {
		d.Rank = r.String()
	}
}

func (x *Explanation) choose(f facts, r Rank) {
	if x == nil {
		return
	}
	if d := x.find(f); d != nil {
		d.Steps = append(d.Steps, Step{Rule: "one person", Because: "chosen: " + r.String()})
	}
}

func (x *Explanation) rename(f facts, id string) {
	if x == nil {
		return
	}
	if d := x.find(f); d != nil {
		d.ID, d.Was = id, f.id
		d.Steps = append(d.Steps, Step{Rule: "ids", Because: "another element has this id"})
	}
}

func (x *Explanation) add(f facts, kept bool, step Step) {
	x.Decisions = append(x.Decisions, Decision{
		Element: f.kind, ID: f.id, Publication: f.src.Publication, Kind: f.src.Kind,
		Received: f.src.Received, Kept: kept, Steps: []Step{step},
	})
}

// find returns the decision that let an element in.
func (x *Explanation) find(f facts) *Decision {
	for i := range x.Decisions {
		d := &x.Decisions[i]
		if d.Kept && d.Element == f.kind && d.Publication == f.src.Publication && (d.ID == f.id || d.Was == f.id) {
			return d
		}
	}
	return nil
}
