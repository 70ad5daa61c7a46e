package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/icholy/digest"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// HA1Of finds the stored HA1 of a user in the verifier's realm; "" if there is
// no such user, or no HA1 for that algorithm. An error means that it cannot be
// known now.
type HA1Of func(ctx context.Context, user string, alg Algorithm) (ha1 string, err error)

// Config is what a Verifier is made of.
type Config struct {
	Realm      string
	Algorithms []Algorithm // in the order of challenges; at least one
	HA1        HA1Of
	// Accepts says whether the URI in the credentials is one this server takes
	// requests for (RFC 8760 section 2.6 item 6); nil: it must name the same
	// user and host as the Request-URI.
	Accepts   func(uri message.URI) bool
	NonceLife time.Duration // 0: 5 minutes
	MaxNonces int           // answered nonces remembered at a time; 0: 100,000
	Clock     clock.Clock   // nil: the system's
}

// Verifier is the server's side of digest in one realm. Its methods may be
// called at the same time.
type Verifier struct {
	algorithms []Algorithm
	ha1        HA1Of
	accepts    func(message.URI) bool
	life       time.Duration
	clock      clock.Clock
	mint       mint
	replay     *replay
	nobody     string // is no user
}

// maxCredentials bounds how many credentials of one request are weighed.
const maxCredentials = 8

// NewVerifier checks cfg and makes its secret key.
func NewVerifier(cfg Config) (*Verifier, error) {
	if cfg.Realm == "" || cfg.HA1 == nil || len(cfg.Algorithms) == 0 {
		return nil, errors.New("digest: realm, HA1 look-up and at least one algorithm are needed")
	}
	for _, alg := range cfg.Algorithms {
		if alg.hash() == nil {
			return nil, fmt.Errorf("unknown digest algorithm %q", alg)
		}
	}
	v := &Verifier{
		algorithms: cfg.Algorithms, ha1: cfg.HA1, accepts: cfg.Accepts,
		life: cfg.NonceLife, clock: cfg.Clock, nobody: rand.Text(),
	}
	if v.life == 0 {
		v.life = 5 * time.Minute
	}
	if v.clock == nil {
		v.clock = clock.System
	}
	if cfg.MaxNonces == 0 {
		cfg.MaxNonces = 100_000
	}
	v.mint.realm, v.mint.began = cfg.Realm, v.clock.Now()
	v.replay = newReplay(cfg.MaxNonces, v.life)
	_, err := rand.Read(v.mint.key[:])
	return v, err
}

// Verify gives the user whose secret signed req. The error is a *Challenge
// where credentials are missing or do not hold, a *message.ParseError (400)
// where they cannot be read, and anything else where the look-up failed.
//
// Either credentials field counts, whatever the role: a client that was asked
// by 401 when it registered may answer a proxy of the same realm unasked.
func (v *Verifier) Verify(ctx context.Context, req *message.Request, role Role) (user string, err error) {
	first, second := role.Answer(), (1 - role).Answer()
	return v.verify(ctx, role, vouched{req.Method, func(uri string) bool { return v.meantFor(uri, req) }},
		credentials{first, message.Raw(req, first)}, credentials{second, message.Raw(req, second)})
}

// vouched is what credentials vouch for of a request.
type vouched struct {
	method string
	named  func(uri string) bool // by the credentials' uri
}

// credentials are the values of one field.
type credentials struct {
	field  string
	values []string
}

func (v *Verifier) verify(ctx context.Context, role Role, req vouched, given ...credentials) (user string, err error) {
	why, claimed, weighed := NoCredentials, "", 0
	for _, g := range given {
		for _, value := range g.values {
			cred, alg, err := v.read(value, g.field)
			if err != nil {
				return "", err
			}
			if cred == nil {
				continue
			}
			if weighed++; weighed > maxCredentials {
				return "", &message.ParseError{Status: 400, Where: g.field, What: "too many credentials"}
			}
			user, w, err := v.weigh(ctx, req, cred, alg, g.field)
			if err != nil || user != "" {
				return user, err
			}
			why, claimed = w, cred.Username
		}
	}
	return "", v.challenge(role, why, claimed)
}

// read takes a field apart; nil without an error is for somebody else: another
// scheme, realm or algorithm.
func (v *Verifier) read(value, field string) (*digest.Credentials, Algorithm, error) {
	if !digest.IsDigest(value) {
		return nil, "", nil
	}
	cred, err := parse(value)
	if err != nil {
		return nil, "", &message.ParseError{Status: 400, Where: field, What: err.Error()}
	}
	if cred.Realm != v.mint.realm {
		return nil, "", nil
	}
	alg := MD5
	if cred.Algorithm != "" {
		if alg, err = parseAlgorithm(cred.Algorithm); err != nil {
			return nil, "", nil
		}
	}
	for _, a := range v.algorithms {
		if a == alg {
			return cred, alg, nil
		}
	}
	return nil, "", nil
}

func parse(value string) (*digest.Credentials, error) {
	return digest.ParseCredentials(strings.ReplaceAll(value, "\t", " "))
}

// weigh decides about one set of credentials. The secret is checked before the
// nonce: only who knows it is told that its nonce is stale.
func (v *Verifier) weigh(ctx context.Context, req vouched, cred *digest.Credentials, alg Algorithm, field string) (user string, why Why, err error) {
	if cred.QOP != "auth" || cred.Cnonce == "" || cred.Nc <= 0 || int64(cred.Nc) > math.MaxUint32 {
		// RFC 8760 section 2.6 item 8: asked with qop, a client answers with it.
		return "", "", &message.ParseError{Status: 400, Where: field, What: "want qop=auth with cnonce and nc"}
	}
	if !req.named(cred.URI) {
		return "", "", &message.ParseError{Status: 400, Where: field, What: "its uri is not what this request is for"}
	}
	ha1, err := v.ha1(ctx, cred.Username, alg)
	if err != nil {
		return "", "", fmt.Errorf("digest: secret of a user: %w", err)
	}
	known := ha1 != ""
	if !known {
		// An unknown user costs and gets what a wrong password does.
		ha1 = HA1(alg, cred.Username, v.mint.realm, string(v.mint.key[:]))
	}
	want, err := digest.Digest(&digest.Challenge{
		Realm: cred.Realm, Nonce: cred.Nonce, Algorithm: string(alg), QOP: []string{"auth"},
	}, digest.Options{
		Method: req.method, URI: cred.URI, Username: cred.Username,
		A1: strings.ToLower(ha1), Cnonce: cred.Cnonce, Count: cred.Nc,
	})
	if err != nil {
		return "", "", err
	}
	if subtle.ConstantTimeCompare([]byte(want.Response), []byte(cred.Response)) != 1 || !known {
		if known { // whom the directory knows is found in memory, and that is quicker than to find nobody
			_, err = v.ha1(ctx, v.nobody, alg)
		}
		return "", WrongSecret, err
	}
	now := v.clock.Now()
	n, ours := v.mint.read(cred.Nonce, alg)
	if !ours || now.Sub(n.made) > v.life {
		return "", StaleNonce, nil
	}
	if !v.replay.use(n, uint32(cred.Nc), now) {
		return "", ReplayedCount, nil
	}
	return cred.Username, "", nil
}

func (v *Verifier) meantFor(named string, req *message.Request) bool {
	uri, err := message.ParseURI(named)
	if err != nil {
		return false
	}
	if v.accepts != nil && v.accepts(uri) {
		return true
	}
	return uri.User == req.Recipient.User && strings.EqualFold(uri.Host, req.Recipient.Host)
}

// Strip takes the credentials of this realm out of req before it goes on: they
// are nobody else's to see (RFC 3261 section 22.3).
func (v *Verifier) Strip(req *message.Request) {
	for _, field := range [...]string{"Authorization", "Proxy-Authorization"} {
		values := message.Raw(req, field)
		if len(values) == 0 {
			continue
		}
		message.Remove(req, field)
		for _, value := range values {
			cred, err := parse(value)
			if err != nil || cred.Realm != v.mint.realm {
				message.Add(req, field, value)
			}
		}
	}
}
