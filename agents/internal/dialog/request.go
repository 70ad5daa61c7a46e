package dialog

import (
	"slices"

	"presfed/agents/internal/message"
)

// Request is the next request within the dialog (section 12.2.1.1), without Via
// and Contact. ACK and CANCEL are not made this way.
func (d *Dialog) Request(method string) (*message.Request, error) {
	d.LocalSeq++
	return d.request(method, d.LocalSeq)
}

// Ack acknowledges a 2xx to invite (section 13.2.2.4): its CSeq number, the
// dialog's route set.
func (d *Dialog) Ack(invite *message.Request) (*message.Request, error) {
	cseq, err := message.CSeqOf(invite)
	if err != nil {
		return nil, err
	}
	return d.request(message.ACK, cseq.Seq)
}

func (d *Dialog) request(method string, seq uint32) (*message.Request, error) {
	target, routes := d.Target, slices.Clone(d.Routes)
	if len(routes) > 0 {
		first, err := message.ParseAddress(routes[0])
		if err != nil {
			return nil, err
		}
		if _, loose := message.URIParam(first.URI, "lr"); !loose {
			// A strict router: it is named in the Request-URI, the target comes last.
			routes = append(routes[1:], "<"+target+">")
			first.URI.Headers = nil
			target = first.URI.String()
		}
	}
	uri, err := message.ParseURI(target)
	if err != nil {
		return nil, err
	}
	req := message.NewRequest(method, uri)
	for _, r := range routes {
		message.Add(req, "Route", r)
	}
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", d.LocalAddress)
	message.Add(req, "To", d.RemoteAddress)
	message.Add(req, "Call-ID", d.CallID)
	message.Add(req, "CSeq", message.CSeq{Seq: seq, Method: method}.String())
	return req, nil
}

// Receive takes a request of the peer into account (section 12.2.2). The error
// is a *message.ParseError: 500 for one that comes out of order, 400 for a
// target that cannot be used; the dialog is then as before.
func (d *Dialog) Receive(req *message.Request) error {
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return err
	}
	// An ACK carries its INVITE's number, and a CANCEL is no part of a dialog.
	if cseq.Method != message.ACK && cseq.Seq <= d.RemoteSeq {
		return &message.ParseError{Status: 500, Where: "CSeq", What: "a later request came before"}
	}
	target, err := refreshed(d.Target, req)
	if err != nil {
		return err
	}
	d.Target, d.RemoteSeq = target, max(d.RemoteSeq, cseq.Seq)
	return nil
}

// Answered takes a response to one of our requests within the dialog into
// account: a 2xx to a target refresh moves the target (section 12.2.1.2).
func (d *Dialog) Answered(res *message.Response) error {
	if res.StatusCode/100 != 2 {
		return nil
	}
	target, err := refreshed(d.Target, res)
	if err == nil {
		d.Target = target
	}
	return err
}

// refreshed is the remote target after m (RFC 3261 section 6, target refresh:
// re-INVITE, and RFC 3311 and RFC 6665's UPDATE, SUBSCRIBE and NOTIFY).
func refreshed(target string, m message.Message) (string, error) {
	switch message.Method(m) {
	case message.INVITE, message.UPDATE, message.SUBSCRIBE, message.NOTIFY:
	default:
		return target, nil
	}
	if !message.Has(m, "Contact") {
		return target, nil
	}
	return contactOf(m)
}

// NextHop is the URI that decides where the dialog's requests go (section
// 8.1.2): the first of the route set, loose router or strict, or the target.
func (d *Dialog) NextHop() (message.URI, error) {
	if len(d.Routes) == 0 {
		return message.ParseURI(d.Target)
	}
	first, err := message.ParseAddress(d.Routes[0])
	return first.URI, err
}
