package proxy

import (
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// MakesDialog says which methods can begin a dialog: NOTIFY too, for a subscriber
// takes its route set from it (RFC 6665 section 4.3). For these we stay on the path.
func MakesDialog(method string) bool {
	switch method {
	case message.INVITE, message.SUBSCRIBE, message.NOTIFY, message.REFER:
		return true
	}
	return false
}

// recordRoute puts our Record-Route on a copy (section 16.6 step 4), a second
// one on top where the two sides differ (RFC 5658 names the problem): each end
// then finds the URI that it can reach, and on top of its Routes the seal that
// names it.
func (r *Request) recordRoute(req *message.Request, hop sip.Target, to userHash) {
	src := r.tx.Source()
	came := end{user: r.sender, hop: sip.Target{Transport: src.Transport}}
	if r.origin.Peer == "" {
		came.hop.Flow = src.Flow // a client's: peers are dialled again
	}
	inner := r.recordURI(req, src, came)
	outer := r.recordURI(req, r.proxy.cfg.Endpoint.Side(hop), end{user: to, hop: hop})
	ours := []string{outer, inner}
	if outer == inner {
		ours = ours[:1]
	}
	message.Lead(req, "Record-Route", ours...)
}

func (r *Request) recordURI(req *message.Request, side sip.Source, e end) string {
	uri := r.proxy.cfg.RecordRoute(side)
	if req.Recipient.Scheme == "sips" {
		uri.Scheme = "sips"
	}
	uri.User = r.sealFor(message.CallID(req), e)
	b := message.AppendURI(append(make([]byte, 0, 128), '<'), uri)
	if _, lr := message.URIParam(uri, "lr"); !lr {
		b = append(b, ";lr"...)
	}
	return string(append(b, '>'))
}

// sealFor is the seal for one side: the one that the request brought for it, if it did.
func (r *Request) sealFor(callID string, e end) string {
	if brought := r.route.seal(e); brought != "" {
		return brought
	}
	return r.proxy.seal(callID, e)
}
