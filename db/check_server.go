package db

import (
	"presfed/routing"
)

// checkServers looks for servers that cannot be told apart.
func (c *checking) checkServers() {
	if len(c.servers) == 0 {
		c.add(Wrong, "no-server", c.domain.Name, "server add NAME sip:HOST", "the domain %s has no server", c.domain.Name)
	}
	type socket struct {
		host   string
		port   int
		stream bool // TCP and TLS contend for a port, UDP has its own
	}
	addresses := map[socket]string{}
	identities := map[string]string{}
	hosts := map[string]string{} // without a port, and neither identity nor URI
	for _, s := range c.servers {
		host, port := s.HostPort()
		at := socket{host, port, s.Transport != "udp"}
		if other, taken := addresses[at]; taken {
			c.add(Wrong, "server-address", s.Name, "server set "+word(s.Name)+" --uri 'sip:HOST:PORT;transport="+s.Transport+"'",
				"servers %s and %s have one address, %s", other, s.Name, joinHostPort(host, port))
		} else {
			addresses[at] = s.Name
		}
		if other, taken := identities[s.Identity]; taken {
			c.add(Wrong, "server-identity", s.Name, "server set "+word(s.Name)+" --identity HOST",
				"servers %s and %s have one identity, %s: a certificate would prove both", other, s.Name, s.Identity)
		} else {
			identities[s.Identity] = s.Name
		}
		if s.Identity == c.domain.Name {
			c.add(Wrong, "server-domain", s.Name, "server set "+word(s.Name)+" --identity HOST",
				"server %s has the domain %s for its identity: nobody could ask for its own share, and its certificate would prove every server", s.Name, c.domain.Name)
		}
		if host == c.domain.Name && s.Identity != host {
			c.add(Suspect, "server-domain", s.Name, "server set "+word(s.Name)+" --uri 'sip:"+joinHostPort(s.Identity, port)+";transport="+s.Transport+"'",
				"server %s is reached under the domain's name, %s", s.Name, host)
		}
	}
	for _, s := range c.servers {
		for _, a := range s.Aliases {
			mend := "server set " + word(s.Name) + " --remove-alias " + word(a)
			if host, _, _ := routing.SplitHostPort(a); host == c.domain.Name {
				c.add(Wrong, "server-alias", s.Name, mend, "server %s counts the domain %s as a host of its own", s.Name, host)
				continue
			}
			if other, taken := identities[routing.Host(a)]; taken && other != s.Name {
				c.add(Wrong, "server-alias", s.Name, mend, "server %s counts %s as a host of its own, which is the identity of %s", s.Name, a, other)
			} else if other, taken := hosts[a]; taken {
				c.add(Wrong, "server-alias", s.Name, mend, "servers %s and %s both count %s as a host of their own", other, s.Name, a)
			} else {
				hosts[a] = s.Name
			}
		}
	}
}
