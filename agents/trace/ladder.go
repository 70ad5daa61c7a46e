package trace

import (
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Row is one arrow of a ladder.
type Row struct {
	From, To string
	Label    string
	Protocol Protocol
	Status   int       // 0: a request
	Time     time.Time // zero: none is shown
	Missing  End       // the watched socket that did not record it
	Note     string    // behind the row, for what is not drawn in it
}

// End is one end of an arrow.
type End string

// The ends.
const (
	Sender   End = "sender"
	Receiver End = "receiver"
)

// Rows are a ladder's rows for messages, with their labels.
func Rows(messages []Message) []Row {
	rows := make([]Row, len(messages))
	for i := range messages {
		m := &messages[i]
		rows[i] = Row{From: m.From, To: m.To, Label: m.Label(), Protocol: m.Protocol, Status: m.Status, Time: m.Time}
		switch {
		case m.Lost && m.Received == nil:
			rows[i].Missing, rows[i].Note = Receiver, "not received"
		case m.Lost:
			rows[i].Missing, rows[i].Note = Sender, "not sent"
		}
	}
	return rows
}

// LadderOptions say how a ladder looks.
type LadderOptions struct {
	// Participants are the columns from left to right. Those it does not name
	// follow, devices outside and servers inside as the draft draws them.
	Participants []string
	Times        bool // since the first row, before each row
	Color        bool // by ANSI sequences
	Width        int  // of the terminal, in columns; labels are cut to fit it. 0: as wide as needed
	// Gap is the least room between two columns, for rows that are still to come.
	Gap int
}

// Ladder draws rows under the participants' names, as the call flows draft does:
//
//	alice-pc       server-a
//	    |              |
//	    | F1 SUBSCRIBE |
//	    |------------->|
//
// SIP is drawn with "-", MSRP with "=", a message that one of two watched
// sockets did not record with "x" at that end.
type Ladder struct {
	w       io.Writer
	opts    LadderOptions
	columns []string
	x       []int // of each lifeline
	start   time.Time
}

// NewLadder writes to w.
func NewLadder(w io.Writer, opts LadderOptions) *Ladder { return &Ladder{w: w, opts: opts} }

// Draw writes rows below those that were drawn before. A participant that is
// new gets a column, and the names are written again. The error is the
// writer's.
func (l *Ladder) Draw(rows ...Row) error {
	if len(rows) == 0 {
		return nil
	}
	var b strings.Builder
	if columns := columnsOf(l.opts.Participants, l.columns, rows); !slices.Equal(columns, l.columns) {
		if l.columns != nil {
			b.WriteByte('\n')
		}
		l.columns = columns
		l.layout(rows)
		l.header(&b)
	}
	if l.start.IsZero() {
		l.start = rows[0].Time
	}
	for _, row := range rows {
		l.row(&b, row)
	}
	_, err := io.WriteString(l.w, b.String())
	return err
}

func (l *Ladder) header(b *strings.Builder) {
	var c canvas
	for i, name := range l.columns {
		c.put(max(0, l.x[i]-(utf8.RuneCountInString(name)-1)/2), name)
	}
	l.write(b, c, "", paint{})
	l.write(b, l.lifelines(), "", paint{})
}

// row is a line with the label and a line with the arrow.
func (l *Ladder) row(b *strings.Builder, row Row) {
	from, to := l.x[slices.Index(l.columns, row.From)], l.x[slices.Index(l.columns, row.To)]
	left, right := min(from, to), max(from, to)
	at := paint{from: left + 1, to: right, color: l.color(row)}
	label, arrow := l.lifelines(), l.lifelines()

	room := right - left - 3
	if from == to {
		// To itself: drawn as a short way out and back.
		room = l.room(from)
		at.to = from + 4 + room
		arrow.put(from+1, "<-'")
		label.put(from+1, "-.")
		label.put(from+4, cut(row.Label, room-2))
	} else {
		label.put(left+2, cut(row.Label, room))
		arrow.put(left+1, strings.Repeat(line(row.Protocol), right-left-1))
		start, end, head := left+1, right-1, ">"
		if to < from {
			start, end, head = end, start, "<"
		}
		arrow.put(end, head)
		switch row.Missing {
		case Sender:
			arrow.put(start, "x")
		case Receiver:
			arrow.put(end, "x")
		}
	}
	var when string
	if l.opts.Times && !row.Time.IsZero() {
		when = offset(row.Time.Sub(l.start))
	}
	if row.Note != "" {
		arrow.put(l.x[len(l.x)-1]+3, "("+row.Note+")")
	}
	l.write(b, label, when, at)
	l.write(b, arrow, "", at)
}

// room is the space for a label to the right of a lifeline.
func (l *Ladder) room(x int) int {
	for _, next := range l.x {
		if next > x {
			return next - x - 3
		}
	}
	return max(l.opts.Gap, 40)
}

func (l *Ladder) lifelines() canvas {
	var c canvas
	for _, x := range l.x {
		c.put(x, "|")
	}
	return c
}

func line(p Protocol) string {
	if p == MSRP {
		return "="
	}
	return "-"
}
