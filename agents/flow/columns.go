package flow

// Columns are the participants that the flow draws, each server next to the
// devices that speak to it.
func (f Flow) Columns() []string {
	acts := map[string]bool{}
	for _, m := range f.Messages {
		acts[m.From], acts[m.To] = true, true
	}
	var out []string
	for _, name := range []string{AlicePC, Calendar, ServerA, ServerB, AlicePhone, BobPC, BobPhone} {
		if acts[name] {
			out = append(out, name)
		}
	}
	return out
}
