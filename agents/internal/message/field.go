package message

import (
	"io"

	sipgo "github.com/emiago/sipgo/sip"
)

// field is a header field as it stands in a message. It never changes, so that the
// copies of a message share it, and what Parse has read of it need not be read again.
type field struct {
	sipgo.Header // for what sipgo keeps to itself: nothing of it is called
	name, value  string

	address *Address // of From and To
	via     *Via     // of the topmost Via
}

func newField(name, value string) *field { return &field{name: name, value: value} }

// Name and the others are those of sipgo's headers.
func (f *field) Name() string   { return f.name }
func (f *field) Value() string  { return f.value }
func (f *field) String() string { return f.name + ": " + f.value }

func (f *field) StringWrite(w io.StringWriter) {
	w.WriteString(f.name)
	w.WriteString(": ")
	w.WriteString(f.value)
}

// find is the first field of that name; nil where there is none.
func find(m Message, name string) sipgo.Header {
	if i := index(m, name); i >= 0 {
		return listOf(m)[i]
	}
	return nil
}

// index is where it stands; -1 where there is none.
func index(m Message, name string) int {
	for i, h := range listOf(m) {
		if h.Name() == name {
			return i
		}
	}
	return -1
}

// insert puts fields before the one at the index, which sipgo can only do by
// making its list anew.
func insert(m Message, at int, name string, values ...string) {
	for range values {
		m.AppendHeader(blank)
	}
	list := listOf(m)
	copy(list[at+len(values):], list[at:])
	for i, v := range values {
		list[at+i] = newField(name, v)
	}
}

// cut takes out the fields at and after the index. They are removed one by one
// through sipgo, which has no way to cut its list.
func cut(m Message, at int) {
	list := listOf(m)
	for i := at; i < len(list); i++ {
		list[i] = blank
	}
	type remover interface{ RemoveHeader(string) bool }
	for range len(list) - at {
		m.(remover).RemoveHeader("")
	}
}

// blank holds a place for a moment.
var blank = newField("", "")
