package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// recordsRoute says for which methods we stay on the path: those that create
// dialogs, and NOTIFY, from which a subscriber takes its route set (RFC 6665
// section 4.3).
func recordsRoute(method string) bool {
	switch method {
	case message.INVITE, message.SUBSCRIBE, message.NOTIFY, message.REFER:
		return true
	}
	return false
}

// recordRoute puts our Record-Route on a copy (section 16.6 step 4), a second
// one on top where the two sides differ (RFC 5658 names the problem): each end
// then finds the URI that it can reach.
func (p *Proxy) recordRoute(req *message.Request, from sip.Source, hop sip.Target) {
	came := sip.Target{Transport: from.Transport, Addr: from.Remote}
	if len(from.Identities) == 0 {
		came.Flow = from.Flow // a client's: peers are dialled again
	}
	inner := p.recordURI(came, req.Recipient.Scheme)
	outer := p.recordURI(hop, req.Recipient.Scheme)
	ours := []string{outer, inner}
	if outer == inner {
		ours = ours[:1]
	}
	lead(req, "Record-Route", ours...)
}

func (p *Proxy) recordURI(side sip.Target, scheme string) string {
	uri := p.cfg.RecordRoute(side)
	if scheme == "sips" {
		uri.Scheme = "sips"
	}
	if side.Flow != 0 {
		uri.User = p.flowToken(side)
	}
	s := uri.String()
	if _, lr := message.URIParam(uri, "lr"); !lr {
		s += ";lr"
	}
	return "<" + s + ">"
}

// A flow token is the connection that a client came by, sealed, as the user
// part of our Record-Route (RFC 5626 section 5.2): requests within the dialog
// go down it, for nobody can dial a client behind a NAT. Once the connection
// is gone the token says nothing any more.
const tokenSeal = 10

func (p *Proxy) flowToken(side sip.Target) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(side.Flow))
	b = append(b, side.Transport...)
	return base64.RawURLEncoding.EncodeToString(append(p.sealFlow(b), b...))
}

// flowOf reads the token in one of our own URIs; zero where there is none.
func (p *Proxy) flowOf(uri message.URI) sip.Target {
	b, err := base64.RawURLEncoding.DecodeString(uri.User)
	if err != nil || len(b) < tokenSeal+8 || !hmac.Equal(b[:tokenSeal], p.sealFlow(b[tokenSeal:])) {
		return sip.Target{}
	}
	b = b[tokenSeal:]
	return sip.Target{Flow: sip.Flow(binary.BigEndian.Uint64(b)), Transport: strings.Clone(string(b[8:]))}
}

func (p *Proxy) sealFlow(b []byte) []byte {
	h := hmac.New(sha256.New, p.key[:])
	h.Write(b)
	return h.Sum(nil)[:tokenSeal]
}
