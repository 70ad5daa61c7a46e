package pidf

import (
	"bytes"
	"cmp"
)

// Rank is how much a person element weighs when one of several is chosen.
type Rank int

// The ranks, from the lightest. A calendar's busy outweighs a device's "I am
// Active", a device's own word outweighs the calendar.
const (
	RankNothing      Rank = iota // idle, unknown, or no activity
	RankAvailable                // available
	RankCalendar                 // another activity, published by a calendar
	RankActivity                 // another activity, published by a device
	RankDoNotDisturb             // do-not-disturb, whoever says it
)

// String names the rank for an explanation.
func (r Rank) String() string {
	switch r {
	case RankDoNotDisturb:
		return "do-not-disturb"
	case RankActivity:
		return "activity"
	case RankCalendar:
		return "calendar"
	case RankAvailable:
		return "available"
	}
	return "nothing"
}

// RankOf weighs a person by its heaviest activity. Whether a calendar or a
// device speaks is told by the Source, without one by the class.
func RankOf(p Person) Rank {
	kind := p.Source.Kind
	if kind == "" {
		kind = kindOf(p.Class)
	}
	best := RankNothing
	for _, name := range p.ActivityNames() {
		rank := RankActivity
		switch name {
		case DoNotDisturb:
			rank = RankDoNotDisturb
		case Available:
			rank = RankAvailable
		case "", Unknown, "idle", "active":
			rank = RankNothing
		default:
			if kind == KindCalendar {
				rank = RankCalendar
			}
		}
		best = max(best, rank)
	}
	return best
}

// comparePersons orders two marked persons by weight: rank, then time of
// receipt, then content. Persons that compare equal say the same.
func comparePersons(a, b Person) int {
	if c := cmp.Or(cmp.Compare(RankOf(a), RankOf(b)), a.Source.Received.Compare(b.Source.Received)); c != 0 {
		return c
	}
	var ca, cb canon
	ca.person(a)
	cb.person(b)
	return bytes.Compare(ca.b, cb.b)
}
