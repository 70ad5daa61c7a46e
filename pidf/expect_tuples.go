package pidf

import (
	"slices"
	"strconv"
)

// checkTuples pairs expected tuples with those that are there: first those
// that hold, then, for a readable answer, those that are nearest.
func (e Expect) checkTuples(tuples []Tuple) []Difference {
	left := slices.Clone(tuples)
	// Those that also ask for a user input choose first: the others take any.
	wants := slices.Clone(e.Tuples)
	slices.SortStableFunc(wants, func(a, b ExpectTuple) int { return boolNum(a.UserInput == "") - boolNum(b.UserInput == "") })
	wants = slices.DeleteFunc(wants, func(w ExpectTuple) bool {
		i := slices.IndexFunc(left, func(t Tuple) bool { return len(w.check(t)) == 0 })
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
		return i >= 0
	})
	var diffs []Difference
	for _, w := range wants {
		i := w.nearest(left)
		if i < 0 {
			diffs = append(diffs, Difference{"tuple " + w.label(), "present", "missing"})
			continue
		}
		diffs = append(diffs, w.check(left[i])...)
		left = slices.Delete(left, i, i+1)
	}
	if e.Match == MatchEqual {
		for _, t := range left {
			diffs = append(diffs, Difference{"tuple " + t.ID, "absent", describe(t)})
		}
	}
	return diffs
}

// check compares one tuple.
func (w ExpectTuple) check(t Tuple) []Difference {
	var diffs []Difference
	differ := func(field, want, got string) {
		if want != got {
			diffs = append(diffs, Difference{"tuple " + w.label() + ": " + field, orNone(want), orNone(got)})
		}
	}
	differ("capabilities", joined(w.Capabilities), joined(t.Capabilities.Labels()))
	differ("basic", string(w.Basic), string(t.Basic))
	differ("priority", w.priority(), t.Priority.String())
	differ("contact user", userOf(w.Contact), userOf(t.Contact))
	if w.UserInput != "" {
		differ("user input", w.UserInput, t.UserInput.State)
	}
	return diffs
}

// nearest finds the tuple with the fewest differences that has at least its
// contact's user or its capabilities right; -1 if none does.
func (w ExpectTuple) nearest(tuples []Tuple) int {
	best, fewest := -1, 0
	for i, t := range tuples {
		if userOf(t.Contact) != userOf(w.Contact) && joined(t.Capabilities.Labels()) != joined(w.Capabilities) {
			continue
		}
		if n := len(w.check(t)); best < 0 || n < fewest {
			best, fewest = i, n
		}
	}
	return best
}

func (w ExpectTuple) priority() string {
	if w.Priority == nil {
		return ""
	}
	q, err := NewPriority(*w.Priority)
	if err != nil {
		return strconv.FormatFloat(*w.Priority, 'g', -1, 64)
	}
	return q.String()
}

func (w ExpectTuple) label() string {
	if w.ID != "" {
		return w.ID
	}
	return userOf(w.Contact) + " (" + joined(w.Capabilities) + ")"
}

// describe sums a tuple up on one line.
func describe(t Tuple) string {
	return orNone(string(t.Basic)) + ", " + orNone(t.Contact) + ", " + joined(t.Capabilities.Labels())
}
