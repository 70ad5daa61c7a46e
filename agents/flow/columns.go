package flow

// Columns are the participants that the flow draws, in the order of the draft's
// drawings: from the left, as each first appears along the path of messages.
func (f Flow) Columns() []string {
	acts := map[string]bool{}
	for _, m := range f.Messages {
		acts[m.From], acts[m.To] = true, true
	}
	var out []string
	for _, name := range []string{AlicePhone, AlicePC, ServerA, ServerB, BobPC, BobPhone} {
		if acts[name] {
			out = append(out, name)
		}
	}
	return out
}
