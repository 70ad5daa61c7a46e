package server

// Bindings are the contacts of a user that are registered here, as Contact
// values, the preferred first.
func (s *Server) Bindings(aor string) []string {
	var out []string
	for _, b := range s.registrar.Bindings(aor) {
		out = append(out, b.Contact.String())
	}
	return out
}
