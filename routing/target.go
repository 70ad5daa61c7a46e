package routing

import "fmt"

// Kind is what is done at a target.
type Kind string

const (
	// Devices: fork to the user's devices that are registered here.
	Devices Kind = "devices"
	// OwnShare: answer from this server's own publications alone.
	OwnShare Kind = "own share"
	// Compose: answer here with the composed view. The [ToPeer] targets that
	// follow in the list are the back-ends whose own shares go into it.
	Compose Kind = "compose"
	// State: take the user's own upload (PUBLISH, REGISTER) here.
	State Kind = "state"
	// ToPeer: send to another server; as a back-end when Compose leads the list.
	ToPeer Kind = "peer"
)

// Form is the form of a Request-URI.
type Form string

const (
	DomainForm Form = "domain"
	ServerForm Form = "server"
)

// Target is one place a request goes to.
type Target struct {
	Kind   Kind
	Server string // the server's name: this one, or the peer
	// Form and Host are what the Request-URI becomes: the user part stays, the
	// host is the domain or the peer's own host name, without a port.
	Form Form
	Host string
	// Route says that the Request-URI keeps the domain form and a Route to Peer
	// is added, which names RouteHost.
	Route     bool
	RouteHost string
	// Why is the reason in words, Source the text it rests on.
	Why    string
	Source string
}

func (t Target) String() string {
	s := string(t.Kind) + " at " + t.Server
	if t.Kind == ToPeer {
		s = fmt.Sprintf("%s, %s form", t.Server, t.Form)
		if t.Route {
			s += ", Route " + t.RouteHost
		}
	}
	return s
}

// Refusal says why a request goes nowhere; the caller answers with Status.
type Refusal struct {
	Status int // a SIP status code
	Reason string
	Source string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d: %s (%s)", r.Status, r.Reason, r.Source) }

func refuse(status int, source, reason string) *Refusal {
	return &Refusal{Status: status, Reason: reason, Source: source}
}
