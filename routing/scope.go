package routing

import "fmt"

// Scope is what a Request-URI's host asks for.
type Scope struct {
	// Server names the server whose own share is asked for (server form); empty
	// when the user is asked for (domain form).
	Server string
	// Why says how the host was understood.
	Why string
}

// ScopeOf reads the host and port (0 for none) of a Request-URI. A host that is
// neither the domain nor a server's is refused with 404.
//
// Whether server form is honoured depends on who asks, which [Route] decides.
func ScopeOf(host string, port int, names *Names) (Scope, error) {
	host = Host(host)
	if host == names.domain {
		return Scope{Why: "the host is the domain"}, nil
	}
	name, known := names.server(host, port)
	switch {
	case !known:
		// RFC 3261 section 21.4.5: 404 also for a domain that is not handled here.
		return Scope{}, refuse(404, "RFC 3261 section 21.4.5",
			fmt.Sprintf("%s is neither the domain %s nor one of its servers", host, names.domain))
	case name == "":
		return Scope{Why: fmt.Sprintf("several servers share the host %s and no port tells which: taken as the domain", host)}, nil
	}
	return Scope{Server: name, Why: fmt.Sprintf("%s is %s host", host, possessive(name))}, nil
}
