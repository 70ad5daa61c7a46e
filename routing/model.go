// Package routing turns what is known of a user and of a request into the list
// of targets the request goes to.
//
// It holds the models of intra-domain federation (partitioned, exclusive, and
// the two unions, hierarchical and peer) and the addressing rule they rest on:
// sip:alice@example.com (domain form) asks for the user, her composed presence
// and every device; sip:alice@serverb.example.com (server form) asks that
// server for its own share. Everything here is a function from values to
// values; who looks the facts up is no matter of this package.
package routing

import (
	"fmt"
	"slices"
	"strings"
)

// Model says who serves a user (draft-ietf-simple-intradomain-federation).
type Model string

const (
	// Partitioned: exactly one server.
	Partitioned Model = "partitioned"
	// Exclusive: at most one server at a time, moving freely.
	Exclusive Model = "exclusive"
	// Hierarchical: several servers; requests go to a root, which asks the others.
	Hierarchical Model = "hierarchical"
	// Peer: several servers; the one that receives a request acts as its root.
	Peer Model = "peer"
)

// Models lists every model.
func Models() []Model { return []Model{Partitioned, Exclusive, Hierarchical, Peer} }

// ParseModel reads a model's name.
func ParseModel(s string) (Model, error) {
	if m := Model(strings.ToLower(s)); slices.Contains(Models(), m) {
		return m, nil
	}
	return "", fmt.Errorf("no such model: %q (want partitioned, exclusive, hierarchical or peer)", s)
}

// Unioned says that several servers may serve the user at once.
func (m Model) Unioned() bool { return m == Hierarchical || m == Peer }

// Place is where a user is served.
type Place struct {
	Model   Model
	Servers []string // names, in the directory's order
	Root    string   // hierarchical only
}

// Serves says that the named server serves the user.
func (p Place) Serves(server string) bool { return slices.Contains(p.Servers, server) }

// Nowhere says that no server serves the user.
func (p Place) Nowhere() bool { return len(p.Servers) == 0 }

func (p Place) String() string {
	if p.Nowhere() {
		return "nowhere"
	}
	s := string(p.Model) + " on " + strings.Join(p.Servers, ", ")
	if p.Root != "" {
		s += ", root " + p.Root
	}
	return s
}
