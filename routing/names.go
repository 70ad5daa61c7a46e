package routing

import "strings"

// Server is what routing needs to know of a federating server.
type Server struct {
	Name string
	// Identity is its own host name: what its certificate says, and what stands
	// in Request-URI, Route and Record-Route on TLS (RFC 5922 section 7.5).
	Identity string
	// Hosts are further spellings that count as its host: names, IP literals,
	// each with or without a port. Of two servers on one address only the port
	// tells which is meant.
	Hosts []string
}

// Names is the domain with every spelling of its servers, made for quick
// look-ups. It does not change once made.
type Names struct {
	domain  string
	servers map[string]Server
	byHost  map[string]string   // host -> server name; "" when several claim it
	byPort  map[hostPort]string // host and port -> server name
}

type hostPort struct {
	host string
	port int
}

// NewNames indexes the servers of a domain.
func NewNames(domain string, servers []Server) *Names {
	n := &Names{
		domain:  Host(domain),
		servers: make(map[string]Server, len(servers)),
		byHost:  make(map[string]string, 2*len(servers)),
		byPort:  make(map[hostPort]string),
	}
	for _, s := range servers {
		s.Identity = Host(s.Identity)
		n.servers[s.Name] = s
		n.claim(s.Identity, 0, s.Name)
		for _, h := range s.Hosts {
			if host, port, ok := SplitHostPort(h); ok {
				n.claim(host, port, s.Name)
			}
		}
	}
	return n
}

func (n *Names) claim(host string, port int, server string) {
	if port != 0 {
		n.byPort[hostPort{host, port}] = server
	}
	if other, taken := n.byHost[host]; taken && other != server {
		server = ""
	}
	n.byHost[host] = server
}

// Domain is the domain's name.
func (n *Names) Domain() string { return n.domain }

// Server is the named server.
func (n *Names) Server(name string) (Server, bool) {
	s, ok := n.servers[name]
	return s, ok
}

// ServerAt is the server that a URI's host and port (0 for none) name; "" where it is
// none's alone.
func (n *Names) ServerAt(host string, port int) string {
	host = Host(host)
	if host == n.domain {
		return ""
	}
	name, _ := n.server(host, port)
	return name
}

// Knows says that a URI's host is the domain's or a server's.
func (n *Names) Knows(host string, port int) bool {
	host = Host(host)
	_, known := n.server(host, port)
	return known || host == n.domain
}

// server finds whose host this is: the exact host and port first, then the host
// when one server alone has it.
func (n *Names) server(host string, port int) (name string, known bool) {
	if name, ok := n.byPort[hostPort{host, port}]; ok {
		return name, true
	}
	name, known = n.byHost[host]
	return name, known
}

// possessive is for reasons read by people.
func possessive(name string) string {
	if strings.HasSuffix(name, "s") {
		return name + "'"
	}
	return name + "'s"
}
