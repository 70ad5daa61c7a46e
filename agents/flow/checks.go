package flow

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

// maker makes a check for a message.
type maker func(f string) Check

func one(f string, makers ...maker) (out []Check) {
	for _, m := range makers {
		out = append(out, m(f))
	}
	return out
}

func join(lists ...[]Check) []Check { return slices.Concat(lists...) }

// requestURI asks for user at a server, or at the domain where none is named.
func requestURI(user, server string) maker {
	where := server
	if where == "" {
		where = "domain"
	}
	return func(f string) Check {
		return Check{F: f, Name: "Request-URI is " + user + "@" + where, Source: "; RFC 3261 section 16.5",
			holds: func(e *evidence, s *side) (bool, string) {
				uri := s.requestURI()
				right := strings.EqualFold(uri.Host, e.facts.Domain)
				if server != "" {
					right = e.facts.isHost(server, uri.Host)
				}
				return uri.User == user && right, uri.String()
			}}
	}
}

// uploads asks that a user's own state goes to her server: in its form, as drawn,
// or in the domain's, as clients write it.
func uploads(user, server string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Request-URI is " + user + "@" + server + ", or @domain", Source: "; RFC 3903 section 4.1",
			holds: func(e *evidence, s *side) (bool, string) {
				uri := s.requestURI()
				return uri.User == user && (e.facts.isHost(server, uri.Host) || strings.EqualFold(uri.Host, e.facts.Domain)), uri.String()
			}}
	}
}

// from asks whom a subscription is of: a user, or a server's own for her.
func from(user, server string) maker {
	where := server
	if where == "" {
		where = "domain"
	}
	return func(f string) Check {
		return Check{F: f, Name: "From is " + user + "@" + where, Source: "; RFC 3261 section 20.20",
			holds: func(e *evidence, s *side) (bool, string) {
				a, err := message.ParseAddress(s.get("From"))
				right := err == nil && strings.EqualFold(a.URI.Host, e.facts.Domain)
				if server != "" {
					right = err == nil && e.facts.isHost(server, a.URI.Host)
				}
				return right && a.URI.User == user, s.get("From")
			}}
	}
}

// routeTo asks that a request is led to a server that its Request-URI does not
// name.
func routeTo(server string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Route names " + server, Source: "; RFC 3261 section 16.6 step 6", holds: firstHost("Route", server)}
	}
}

// recordRoute asks that a server has put itself first in the route to come.
func recordRoute(server string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Record-Route names " + server, Source: "; RFC 3261 section 16.6 step 4, RFC 6665 section 4.3", holds: firstHost("Record-Route", server)}
	}
}

// routed asks that the request goes by the server that put itself in the route of
// an earlier one; that it was that server is asked of the earlier one.
func routed(server, recorded string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Route is " + server, Source: "; RFC 3261 section 12.1.1", also: []string{recorded},
			holds: func(e *evidence, s *side) (bool, string) {
				if s.message == nil || e.seen[recorded] == nil || e.seen[recorded].last().message == nil {
					return false, s.broken
				}
				got := message.Values(s.message, "Route")
				want := message.Values(e.seen[recorded].last().message, "Record-Route")
				return len(got) > 0 && len(want) > 0 && got[0] == want[0], strings.Join(got, ", ")
			}}
	}
}

func firstHost(field, server string) func(*evidence, *side) (bool, string) {
	return func(e *evidence, s *side) (bool, string) {
		if s.message == nil {
			return false, s.broken
		}
		got := message.Raw(s.message, field)
		addresses, err := message.Addresses(s.message, field)
		ok := err == nil && len(addresses) > 0 && e.facts.isHost(server, addresses[0].URI.Host)
		return ok, strings.Join(got, ", ")
	}
}

// asserted asks who the sending server says is speaking: one identity, no other.
func asserted(user string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "P-Asserted-Identity is " + user, Source: "; RFC 3325 section 9.1",
			holds: func(e *evidence, s *side) (bool, string) {
				if s.message == nil {
					return false, s.broken
				}
				got := strings.Join(message.Raw(s.message, "P-Asserted-Identity"), ", ")
				ids, err := message.Addresses(s.message, "P-Asserted-Identity")
				return err == nil && len(ids) == 1 && e.isUser(ids[0].URI, user), got
			}}
	}
}

// sameContact asks that a forwarded SUBSCRIBE keeps the watcher's own Contact.
func sameContact(as string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Contact is that of " + as, Source: "; RFC 3261 section 16.6", also: []string{as},
			holds: func(e *evidence, s *side) (bool, string) {
				want, got := e.contact(as), s.get("Contact")
				a, err := message.ParseAddress(got)
				return err == nil && want != "" && a.URI.String() == want, got
			}}
	}
}

// requestIsContact asks that a NOTIFY goes to the Contact that the notifier was
// given (RFC 6665 section 4.2.2).
func requestIsContact(given, user string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Request-URI is " + user + "'s Contact", Source: "; RFC 3261 section 12.2.1.1", also: []string{given},
			holds: func(e *evidence, s *side) (bool, string) {
				uri := s.requestURI()
				want := e.contact(given)
				return want != "" && uri.String() == want, uri.String()
			}}
	}
}

// allows asks that the presentity's policy lets the other one in: the directory
// says so, and the wire does: the NOTIFY of a subscription that is decided is
// active (RFC 3856 section 6.6), and what a user is called by says who calls.
func allows(presentity, other, notify string) maker {
	return func(f string) Check {
		return Check{F: f, Name: presentity + "'s policy allows " + other, Source: "; RFC 3856 section 6.6, RFC 5025 section 3.2.1", also: []string{notify},
			holds: func(e *evidence, s *side) (bool, string) {
				if !slices.Contains(e.facts.Allows[presentity], other) {
					return false, "no rule of " + presentity + " allows " + other
				}
				if notify != "" {
					state := "no " + notify
					if n := e.seen[notify]; n != nil {
						state = n.last().get("Subscription-State")
					}
					word, _, _ := strings.Cut(state, ";")
					return strings.EqualFold(strings.TrimSpace(word), "active"), state
				}
				got := s.get("From")
				from, err := message.ParseAddress(got)
				return err == nil && e.isUser(from.URI, other), got
			}}
	}
}

// describesMessages asks for an SDP with a stream of messages (RFC 4975 section 8).
func describesMessages(f string) Check {
	return Check{F: f, Name: "SDP has m=message", Source: "; RFC 4975 section 8.2",
		holds: func(_ *evidence, s *side) (bool, string) {
			var media []string
			for _, line := range s.sdp("m=") {
				if kind, rest, ok := strings.Cut(line, " "); ok && kind == "message" && !strings.HasPrefix(rest, "0 ") {
					return true, "m=" + line
				}
				media = append(media, "m="+line)
			}
			return false, strings.Join(media, ", ")
		}}
}

// pathOf asks that the session ends at a device itself.
func pathOf(device string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "a=path is of " + device, Source: "; RFC 4975 section 8.1",
			holds: func(e *evidence, s *side) (bool, string) {
				paths := s.sdp("a=path:")
				if len(paths) != 1 {
					return false, fmt.Sprintf("%d paths", len(paths))
				}
				return e.facts.endsAt(device, paths[0]), paths[0]
			}}
	}
}

// endsAt tells whether an MSRP path of one URI leads to a device.
func (f *Facts) endsAt(device, path string) bool {
	_, rest, _ := strings.Cut(path, "://")
	authority, _, _ := strings.Cut(rest, "/")
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	at, err := netip.ParseAddrPort(authority)
	return err == nil && f.isAddr(device, at.Addr())
}

// sdp is what follows prefix on the lines of the body.
func (s *side) sdp(prefix string) []string { return sdpLines(s.body(), prefix) }

func sdpLines(body []byte, prefix string) (out []string) {
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}
