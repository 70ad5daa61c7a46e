package msrp

import "slices"

// span is a run of bytes, from inclusive, to exclusive, counted from 0.
type span struct{ from, to int64 }

// spans are disjoint runs in ascending order that do not touch each other.
type spans []span

// add joins a run to the others, and says how many of its bytes were new.
func (s *spans) add(from, to int64) (fresh int64) {
	if from >= to {
		return 0
	}
	fresh = to - from
	in := span{from, to}
	i, _ := slices.BinarySearchFunc(*s, from, func(x span, from int64) int {
		if x.to < from {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*s) && (*s)[j].from <= to {
		x := (*s)[j]
		if both := min(x.to, to) - max(x.from, from); both > 0 {
			fresh -= both
		}
		in = span{min(in.from, x.from), max(in.to, x.to)}
		j++
	}
	*s = slices.Replace(*s, i, j, in)
	return fresh
}

// whole: bytes 0 to total are all there.
func (s spans) whole(total int64) bool {
	return total == 0 || len(s) > 0 && s[0].from == 0 && s[0].to >= total
}

// end is the position behind the last byte.
func (s spans) end() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].to
}
