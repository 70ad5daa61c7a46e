package auth

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/icholy/digest"

	"presfed/agents/internal/message"
)

// How a challenge can be beyond answering.
var (
	// ErrRefused: the server does not take these credentials.
	ErrRefused = errors.New("credentials refused")
	// ErrNoChallenge: nothing in the response can be answered, no challenge or
	// no algorithm that is known.
	ErrNoChallenge = errors.New("no challenge that can be answered")
)

// Client is a user's side of digest. It keeps the nonces it was given and uses
// them again, so that most requests are challenged once and then never. Its
// methods may be called at the same time.
type Client struct {
	username, password string

	mu       sync.Mutex
	sessions map[string]*session // by realm
	asked    map[string]Role     // how a method was challenged, by method
}

type session struct {
	challenge *digest.Challenge
	count     int
}

// maxRealms bounds how many realms one client answers.
const maxRealms = 16

// NewClient answers for one user.
func NewClient(username, password string) *Client {
	return &Client{
		username: username, password: password,
		sessions: make(map[string]*session),
		// A user agent server's methods and a proxy's, until told otherwise.
		asked: map[string]Role{
			message.REGISTER: UserAgent, message.PUBLISH: UserAgent, message.SUBSCRIBE: UserAgent,
			message.INVITE: Proxy, message.PRACK: Proxy, message.MESSAGE: Proxy,
		},
	}
}

// Attempt is one request on its way past challenges.
type Attempt struct {
	client *Client
	req    *message.Request
	tries  int
}

// maxTries is how often one request is sent: with a kept nonce, with a new one
// because that was stale, and once more for a second realm.
const maxTries = 4

// Begin adds to req the credentials that earlier challenges allow.
func (c *Client) Begin(req *message.Request) *Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	if role, ok := c.asked[req.Method]; ok {
		for _, s := range c.sessions {
			c.sign(req, role, s)
		}
	}
	return &Attempt{client: c, req: req, tries: 1}
}

// Retry answers a 401 or 407: the next request to send, with CSeq one higher
// and without the Via of the one before (RFC 3261 section 8.1.3.5). The error
// is ErrRefused or ErrNoChallenge.
func (a *Attempt) Retry(res *message.Response) (*message.Request, error) {
	role := UserAgent
	if res.StatusCode == 407 {
		role = Proxy
	}
	c := a.client
	c.mu.Lock()
	defer c.mu.Unlock()
	next := message.Clone(a.req)
	message.Remove(next, "Via")
	answered := map[string]bool{}
	refused := false
	for _, r := range [...]Role{role, 1 - role} { // a fork may gather both kinds
		for _, value := range challenges(res, r.Ask()) {
			chal, err := digest.ParseChallenge(value)
			if err != nil || !digest.CanDigest(chal) || answered[chal.Realm] {
				continue // RFC 8760 section 2.4: the topmost of a realm that is known
			}
			if _, err := parseAlgorithm(chal.Algorithm); err != nil && chal.Algorithm != "" {
				continue
			}
			if a.usedFresh(chal.Realm) && !chal.Stale {
				refused = true
				continue
			}
			if c.sessions[chal.Realm] == nil && len(c.sessions) >= maxRealms {
				continue
			}
			s := &session{challenge: chal}
			dropCredentials(next, chal.Realm)
			if c.sign(next, r, s) {
				c.sessions[chal.Realm], answered[chal.Realm] = s, true
				c.asked[next.Method] = r
			}
		}
	}
	switch {
	case len(answered) == 0 && refused, a.tries >= maxTries:
		return nil, ErrRefused
	case len(answered) == 0:
		return nil, ErrNoChallenge
	}
	cseq, err := message.CSeqOf(next)
	if err != nil {
		return nil, err
	}
	cseq.Seq++
	message.Set(next, "CSeq", cseq.String())
	a.req = next
	a.tries++
	return next, nil
}

// Request is the one last sent.
func (a *Attempt) Request() *message.Request { return a.req }

// usedFresh says whether the request carried credentials of that realm with a
// nonce used for the first time: then only the secret can be at fault.
func (a *Attempt) usedFresh(realm string) bool {
	for _, field := range [...]string{"Authorization", "Proxy-Authorization"} {
		for _, v := range message.Raw(a.req, field) {
			if cred, err := digest.ParseCredentials(v); err == nil && cred.Realm == realm && cred.Nc <= 1 {
				return true
			}
		}
	}
	return false
}

// sign adds credentials; the caller holds the lock.
func (c *Client) sign(req *message.Request, role Role, s *session) bool {
	s.count++
	body := req.Body()
	cred, err := digest.Digest(s.challenge, digest.Options{
		Method: req.Method, URI: req.Recipient.String(),
		Username: c.username, Password: c.password, Count: s.count,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	})
	if err != nil {
		return false
	}
	message.Add(req, role.Answer(), cred.String())
	return true
}

// challenges reads a field's challenges, a line each.
func challenges(res *message.Response, field string) []string {
	var out []string
	for _, v := range message.Raw(res, field) {
		if digest.IsDigest(v) {
			out = append(out, v)
		}
	}
	return out
}

func dropCredentials(req *message.Request, realm string) {
	for _, field := range [...]string{"Authorization", "Proxy-Authorization"} {
		values := message.Raw(req, field)
		message.Remove(req, field)
		for _, v := range values {
			if cred, err := digest.ParseCredentials(v); err != nil || cred.Realm != realm {
				message.Add(req, field, v)
			}
		}
	}
}

// CopyCredentials gives an ACK to a 2xx the credentials of its INVITE, for an
// ACK cannot be challenged (RFC 3261 sections 13.2.2.4 and 22.1).
func CopyCredentials(ack, invite *message.Request) {
	for _, field := range [...]string{"Authorization", "Proxy-Authorization"} {
		for _, v := range message.Raw(invite, field) {
			message.Add(ack, field, v)
		}
	}
}
