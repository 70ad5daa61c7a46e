package message

import "slices"

// field is a header field as it stands in a message. It never changes, so that the
// copies of a message share it, and what Parse has read of it need not be read again.
type field struct {
	name, value string

	address *Address // of From and To
	via     *Via     // of the topmost Via
}

// find is the first field of that name; nil where there is none.
func find(m Message, name string) *field {
	for _, f := range m.held().fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// index is where it stands; -1 where there is none.
func index(m Message, name string) int {
	return slices.IndexFunc(m.held().fields, func(f *field) bool { return f.name == name })
}

// insert puts fields before the one at the index.
func insert(m Message, at int, name string, values ...string) {
	c := m.held()
	for i, v := range values {
		c.fields = slices.Insert(c.fields, at+i, &field{name: name, value: v})
	}
}
