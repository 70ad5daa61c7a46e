package server

// Shares is how many subscriptions at other servers are held for composed views.
func (s *Server) Shares() int { return s.subscriber.Count() }

// Watchers is how many subscriptions others hold here.
func (s *Server) Watchers() int { return s.notifier.Count() }

// Bindings are the contacts of a user that are registered here, as Contact
// values, the preferred first.
func (s *Server) Bindings(aor string) []string {
	var out []string
	for _, b := range s.registrar.Bindings(aor) {
		out = append(out, b.Contact.String())
	}
	return out
}
