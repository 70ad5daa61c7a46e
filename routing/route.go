package routing

import "fmt"

// The texts the reasons rest on.
const (
	draft     = "draft-ietf-simple-intradomain-federation"
	notFound  = "RFC 3261 section 21.4.5"
	forbidden = "RFC 3261 section 21.4.4"
)

// Route decides where a request outside any dialog goes: requests inside one
// are dispatched by the dialog, whatever their Request-URI says. The list is
// never empty; what goes nowhere is a *Refusal.
//
// Where the servers agree about a user it cannot loop: what came from a server
// leaves this one only for the root of a hierarchy, in domain form, or, where
// this server answers for the whole user, for the others in server form; and
// what came in server form ends here. Where they disagree for a moment, a
// request for a user who is not ours is refused and never bounced.
func Route(f Facts) ([]Target, error) {
	if f.Class == Upload || f.Class == Publish {
		return upload(f)
	}
	if f.Peer != "" && f.Scope.Server != "" && f.Scope.Server != f.Self {
		return nil, refuse(404, draft, fmt.Sprintf("%s asks for %s share of %s, and this is %s",
			f.Peer, possessive(f.Scope.Server), f.User, f.Self))
	}
	if f.Peer != "" && !answersFor(f) {
		return nil, refuse(404, draft, fmt.Sprintf("%s sent a request for %s, whom %s does not serve (%s): not sent on to yet another server",
			f.Peer, f.User, f.Self, f.Place))
	}
	if f.Place.Nowhere() {
		return bound(f)
	}
	switch f.Place.Model {
	case Partitioned, Exclusive:
		return single(f)
	case Hierarchical:
		return hierarchical(f)
	case Peer:
		return peer(f)
	}
	return nil, refuse(500, draft, fmt.Sprintf("the directory has no model this server knows for %s: %q", f.User, f.Place.Model))
}

// answersFor says that this server has an answer of its own for the user: it
// serves her, or is her root.
func answersFor(f Facts) bool {
	return f.Place.Serves(f.Self) || f.Place.Model == Hierarchical && f.Place.Root == f.Self
}

// upload ends a client's PUBLISH and REGISTER at its own server in either form:
// real clients send the domain form, flow 4.2.1.1 draws the server form.
//
// A child may hand publications over to the root of a hierarchy instead, which
// takes them from servers that serve the user.
func upload(f Facts) ([]Target, error) {
	hierarchical := f.Class == Publish && f.Place.Model == Hierarchical
	switch {
	case hierarchical && f.Peer != "" && f.Place.Root == f.Self && f.Place.Serves(f.Peer) && (f.HandsOver || f.Place.Serves(f.Self)):
		return []Target{local(f, State, f.Peer+" hands its publications over to the root", draft)}, nil
	case f.Peer != "":
		return nil, refuse(403, forbidden, fmt.Sprintf("%s is a server: what %s uploads comes from a device", f.Peer, f.User))
	case f.Place.Model == "" || f.Place.Nowhere() && f.Place.Model != Exclusive:
		return nil, nowhere(f)
	case f.Scope.Server != "" && f.Scope.Server != f.Self:
		return nil, refuse(403, "RFC 3261 section 10.3", fmt.Sprintf("%s is to be uploaded to %s: %s carries no upload to another server", f.User, f.Scope.Server, f.Self))
	case !f.Place.Serves(f.Self):
		return nil, refuse(403, "RFC 3261 section 10.3", fmt.Sprintf("%s is %s: %s takes no upload for that user", f.User, f.Place, f.Self))
	}
	if hierarchical && f.HandsOver && f.Place.Root != f.Self && f.Place.Root != "" {
		t, err := toRoot(f, fmt.Sprintf("%s hands publications over to the root", f.Self))
		return []Target{t}, err
	}
	return []Target{local(f, State, "a client's upload ends at its own server, in either form", draft)}, nil
}

// bound answers for a user whom no server serves at the moment.
func bound(f Facts) ([]Target, error) {
	if f.Place.Model != Exclusive {
		return nil, nowhere(f)
	}
	if f.Class == Watch {
		return []Target{local(f, Compose, f.User+" is bound to no server: the subscription is held at the watcher's server until that changes", draft)}, nil
	}
	return nil, refuse(480, "RFC 3261 section 21.4.18", f.User+" is bound to no server at the moment")
}

func nowhere(f Facts) *Refusal {
	if f.Place.Model == "" {
		return refuse(404, notFound, "the directory has no place for "+f.User)
	}
	return refuse(404, notFound, fmt.Sprintf("no server serves %s (%s)", f.User, f.Place.Model))
}

// single routes to the one server of a partitioned or exclusive user. Its own
// share is all there is, so server form and domain form mean the same there.
func single(f Facts) ([]Target, error) {
	if f.Place.Serves(f.Self) {
		return answer(f, fmt.Sprintf("%s is %s: it all is here", f.User, f.Place))
	}
	t, err := toShare(f, f.Place.Servers[0], fmt.Sprintf("%s is %s: rewritten to that server's form", f.User, f.Place))
	if err != nil {
		return nil, err
	}
	return []Target{t}, nil
}

// answer is this server's own answer for the whole user.
func answer(f Facts, why string) ([]Target, error) {
	kind := Devices
	if f.Class == Watch {
		kind = Compose
	}
	return []Target{local(f, kind, why, draft)}, nil
}

func local(f Facts, k Kind, why, source string) Target {
	return Target{Kind: k, Server: f.Self, Form: DomainForm, Host: f.Names.Domain(), Why: why, Source: source}
}

// toShare sends to a peer in server form.
func toShare(f Facts, server, why string) (Target, error) {
	s, ok := f.Names.Server(server)
	if !ok {
		return Target{}, unknownServer(f, server)
	}
	return Target{Kind: ToPeer, Server: server, Form: ServerForm, Host: s.Identity, Why: why, Source: draft}, nil
}

// toRoot passes on to the root in domain form, with a Route to it (flow 4.2.1.4
// F2).
func toRoot(f Facts, why string) (Target, error) {
	s, ok := f.Names.Server(f.Place.Root)
	if !ok {
		return Target{}, unknownServer(f, f.Place.Root)
	}
	return Target{Kind: ToPeer, Server: f.Place.Root, Form: DomainForm, Host: f.Names.Domain(),
		Route: true, RouteHost: s.Identity, Why: why, Source: draft}, nil
}

func unknownServer(f Facts, server string) *Refusal {
	return refuse(500, draft, fmt.Sprintf("%s is %s, and the directory knows no server %q", f.User, f.Place, server))
}
