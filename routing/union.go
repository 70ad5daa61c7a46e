package routing

import "fmt"

// hierarchical routes for a union with a root: from the parent, or at the root
// from anyone, ask each child; from anyone else, pass to the root.
func hierarchical(f Facts) ([]Target, error) {
	root := f.Place.Root
	if root == "" {
		return nil, refuse(500, draft, f.User+" is hierarchical and has no root")
	}
	// Server form is honoured from a server that serves her and from her root.
	// Elsewhere it means the domain form, else one could go round the root's
	// policy.
	if f.Peer != "" && f.Scope.Server == f.Self && f.Place.Serves(f.Self) && (f.Place.Serves(f.Peer) || f.Peer == root) {
		return ownShare(f, fmt.Sprintf("%s, which answers for %s too, asks for the own share", f.Peer, f.User))
	}
	if f.Self == root {
		return union(f, fmt.Sprintf("%s is the root for %s", f.Self, f.User), "the root asks each child for its own share")
	}
	if f.Peer == root {
		// From the parent the form does not matter: passing it back up would loop.
		return ownShare(f, fmt.Sprintf("%s is the parent for %s: it gets the own share", f.Peer, f.User))
	}
	t, err := toRoot(f, fmt.Sprintf("%s is %s: passed on to the root", f.User, f.Place))
	if err != nil {
		return nil, err
	}
	return []Target{t}, nil
}

// peer routes for a union without a root: whoever received the request acts as
// root for it.
func peer(f Facts) ([]Target, error) {
	// No root's policy can be gone round here, and a server that does not serve
	// her forks to all that do: each must answer with its own share alone, or
	// every device would be reached twice. So any server's server form counts.
	if f.Peer != "" && f.Scope.Server == f.Self {
		return ownShare(f, fmt.Sprintf("%s acts as root for this request and asks for the own share", f.Peer))
	}
	return union(f, fmt.Sprintf("%s received the request and acts as root for %s", f.Self, f.User),
		"the server that received the request asks the others for their own shares")
}

// ownShare answers with what this server itself holds.
func ownShare(f Facts, why string) ([]Target, error) {
	kind := Devices
	if f.Class == Watch {
		kind = OwnShare
	}
	t := local(f, kind, why, draft)
	if s, ok := f.Names.Server(f.Self); ok {
		t.Form, t.Host = ServerForm, s.Identity
	}
	return []Target{t}, nil
}

// union asks every server of the user: this one at home, the others in server
// form.
func union(f Facts, here, there string) ([]Target, error) {
	var out []Target
	switch {
	case f.Class == Watch:
		out = append(out, local(f, Compose, here, draft))
	case f.Place.Serves(f.Self):
		out = append(out, local(f, Devices, here, draft))
	}
	for _, name := range f.Place.Servers {
		if name == f.Self {
			continue
		}
		t, err := toShare(f, name, there)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
