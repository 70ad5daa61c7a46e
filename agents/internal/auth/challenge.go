package auth

import (
	"github.com/icholy/digest"

	"presfed/agents/internal/message"
)

// Role is what the server is towards the request, which decides how it asks.
type Role int

// A registrar, notifier or event state compositor is a user agent server and
// asks by 401; a proxy asks by 407 (RFC 3261 sections 22.2 and 22.3).
const (
	UserAgent Role = iota
	Proxy
)

// Status is 401 or 407.
func (r Role) Status() int {
	if r == Proxy {
		return 407
	}
	return 401
}

// Ask is the field that challenges, Answer the one with the credentials.
func (r Role) Ask() string {
	if r == Proxy {
		return "Proxy-Authenticate"
	}
	return "WWW-Authenticate"
}

// Answer is the field with the credentials.
func (r Role) Answer() string {
	if r == Proxy {
		return "Proxy-Authorization"
	}
	return "Authorization"
}

// Why says what was missing in a request that is challenged; for the log, never
// for the peer.
type Why string

// The reasons for a challenge.
const (
	NoCredentials Why = "no credentials"
	WrongSecret   Why = "unknown user or wrong password"
	StaleNonce    Why = "nonce expired or unknown"
	ReplayedCount Why = "nonce count used before"
)

// Challenge is the error that a request without valid credentials meets.
type Challenge struct {
	Role  Role
	Why   Why
	User  string   // as the credentials claim it, unproven
	Asked []string // values of the Ask field, most preferred first
}

func (c *Challenge) Error() string { return "challenged: " + string(c.Why) }

// Response is the 401 or 407 that asks req's sender for credentials.
func (c *Challenge) Response(req *message.Request, toTag string) *message.Response {
	res := message.NewResponse(req, c.Role.Status(), "", toTag)
	for _, v := range c.Asked {
		message.Add(res, c.Role.Ask(), v)
	}
	return res
}

// challenge asks once for each algorithm, in order of preference (RFC 8760
// section 2.3), always with qop (section 2.6).
func (v *Verifier) challenge(role Role, why Why, user string) *Challenge {
	c := &Challenge{Role: role, Why: why, User: user}
	now := v.clock.Now()
	for _, alg := range v.algorithms {
		d := digest.Challenge{
			Realm:     v.mint.realm,
			Nonce:     v.mint.make(alg, now),
			Algorithm: string(alg),
			QOP:       []string{"auth"},
			// RFC 7616 section 3.3: stale says that the secret was right, so
			// that the client tries again without asking its user.
			Stale: why == StaleNonce || why == ReplayedCount,
		}
		c.Asked = append(c.Asked, d.String())
	}
	return c
}
