package trace

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// drawn is the order in which the draft draws the participants.
var drawn = [...]string{"calendar", "alice-pc", "alice-phone", "server-a", "server-b", "bob-phone", "bob-pc"}

// columnsOf is the columns for rows: first, then those there are, then new ones.
func columnsOf(first, have []string, rows []Row) []string {
	var seen []string
	for _, row := range rows {
		for _, name := range []string{row.From, row.To} {
			if !slices.Contains(seen, name) {
				seen = append(seen, name)
			}
		}
	}
	var columns []string
	for _, name := range slices.Concat(first, have, inDrawnOrder(seen)) {
		if !slices.Contains(columns, name) && (slices.Contains(have, name) || slices.Contains(seen, name)) {
			columns = append(columns, name)
		}
	}
	return columns
}

// inDrawnOrder puts known names as the draft does; others stand behind them in
// order of appearance, other servers beside server-a.
func inDrawnOrder(names []string) []string {
	out := slices.Clone(names)
	slices.SortStableFunc(out, func(a, b string) int { return place(a) - place(b) })
	return out
}

func place(name string) int {
	switch i := slices.Index(drawn[:], name); {
	case i >= 0:
		return 2 * i
	case strings.HasPrefix(name, "server-"):
		return 2*slices.Index(drawn[:], "server-a") + 1
	default:
		return 2 * len(drawn)
	}
}

// layout places the lifelines so that names and labels fit between them, or as
// well as the width allows.
func (l *Ladder) layout(rows []Row) {
	n := len(l.columns)
	gap := make([]int, n) // between column i-1 and i; gap[0] is the left edge
	half := func(i int) int { return utf8.RuneCountInString(l.columns[i]) / 2 }
	gap[0] = half(0) + 1
	for i := 1; i < n; i++ {
		gap[i] = max(half(i-1)+half(i)+3, l.opts.Gap, 8)
	}
	spread := func(from, to, need int) {
		have := 0
		for i := from + 1; i <= to; i++ {
			have += gap[i]
		}
		for i := from + 1; have < need; i++ {
			if i > to {
				i = from + 1
			}
			gap[i]++
			have++
		}
	}
	// Short arrows first: a long one may then need nothing.
	for span := 0; span < n; span++ {
		for _, row := range rows {
			a, b := slices.Index(l.columns, row.From), slices.Index(l.columns, row.To)
			a, b = min(a, b), max(a, b)
			need := utf8.RuneCountInString(row.Label) + 3
			switch {
			case b-a != span:
			case span > 0:
				spread(a, b, need)
			case a+1 < n:
				spread(a, a+1, need+3)
			}
		}
	}
	l.x = make([]int, n)
	for x, i := 0, 0; i < n; i++ {
		x += gap[i]
		l.x[i] = x
	}
	l.shrink(gap)
}

// shrink takes room from the widest gaps until the ladder fits the terminal;
// 12 columns are left of each.
func (l *Ladder) shrink(gap []int) {
	if l.opts.Width <= 0 || len(gap) < 2 {
		return
	}
	room := l.opts.Width - 1 - utf8.RuneCountInString(l.columns[len(gap)-1])/2
	if l.opts.Times {
		room -= timeWidth + 1
	}
	for l.x[len(l.x)-1] >= room {
		widest := 1
		for i := 2; i < len(gap); i++ {
			if gap[i] > gap[widest] {
				widest = i
			}
		}
		if gap[widest] <= 12 {
			return
		}
		gap[widest]--
		for i := widest; i < len(l.x); i++ {
			l.x[i]--
		}
	}
}
