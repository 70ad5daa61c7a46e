// Package dialog is the state that two user agents share for a while (RFC 3261
// section 12): identifiers, route set, remote target and sequence numbers; and
// the provisional responses that are made reliable within it (RFC 3262).
package dialog

import (
	"slices"

	"presfed/agents/internal/message"
)

// ID tells dialogs apart (RFC 3261 section 12: Call-ID, local tag, remote tag).
type ID struct{ CallID, Local, Remote string }

// IDOf is the dialog that a request is for, as its receiver names it. A request
// outside any dialog has no local tag.
func IDOf(req *message.Request) (ID, error) {
	from, err := message.From(req)
	if err != nil {
		return ID{}, err
	}
	to, err := message.To(req)
	return ID{CallID: message.CallID(req), Local: to.Tag(), Remote: from.Tag()}, err
}

// Dialog is one end's view. It holds nothing but values, so that it can be kept
// and taken up again; it has one owner at a time and no lock.
type Dialog struct {
	ID
	LocalAddress  string   // From of our requests, its tag included
	RemoteAddress string   // To of our requests, its tag included
	Target        string   // the remote target: the URI of the peer's Contact
	Routes        []string // the route set, the next hop first, a name-addr each
	LocalSeq      uint32   // the last CSeq number of our requests
	RemoteSeq     uint32   // the peer's last; 0 before its first request
	Confirmed     bool     // false: early (section 12)
}

// UAS is the dialog that a user agent server creates by answering req with
// localTag (section 12.1.1). It is early until it answers 2xx and sets
// Confirmed.
func UAS(req *message.Request, localTag string) (*Dialog, error) {
	from, err := message.From(req)
	if err != nil {
		return nil, err
	}
	to, err := message.To(req)
	if err != nil {
		return nil, err
	}
	contact, err := contactOf(req)
	if err != nil {
		return nil, err
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return nil, err
	}
	return &Dialog{
		ID:            ID{CallID: message.CallID(req), Local: localTag, Remote: from.Tag()},
		LocalAddress:  to.WithTag(localTag).String(),
		RemoteAddress: from.String(),
		Target:        contact,
		Routes:        message.Values(req, "Record-Route"),
		RemoteSeq:     cseq.Seq,
	}, nil
}

// UAC is the dialog that res creates for the sender of req (section 12.1.2): a
// provisional response with a To tag an early one, a 2xx a confirmed one.
func UAC(req *message.Request, res *message.Response) (*Dialog, error) {
	from, err := message.From(req)
	if err != nil {
		return nil, err
	}
	to, err := message.To(res)
	if err != nil {
		return nil, err
	}
	if to.Tag() == "" && res.StatusCode < 200 {
		return nil, &message.ParseError{Status: 400, Where: "To", What: "a provisional response without a tag creates no dialog"}
	}
	contact, err := contactOf(res)
	switch {
	case err != nil && res.StatusCode >= 200:
		return nil, err
	case err != nil:
		// Provisional responses may leave Contact out; until a 2xx names one,
		// the request's own target is the best there is.
		contact = req.Recipient.String()
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return nil, err
	}
	return &Dialog{
		ID:            ID{CallID: message.CallID(req), Local: from.Tag(), Remote: to.Tag()},
		LocalAddress:  from.String(),
		RemoteAddress: to.String(),
		Target:        contact,
		Routes:        reversed(message.Values(res, "Record-Route")),
		LocalSeq:      cseq.Seq,
		Confirmed:     res.StatusCode >= 200,
	}, nil
}

// ByNotify is the dialog that a NOTIFY creates for the sender of the SUBSCRIBE
// sub (RFC 6665 section 4.4.1): its route set comes from the NOTIFY.
func ByNotify(sub, notify *message.Request) (*Dialog, error) {
	to, err := message.To(notify)
	if err != nil {
		return nil, err
	}
	d, err := UAS(notify, to.Tag())
	if err != nil {
		return nil, err
	}
	cseq, err := message.CSeqOf(sub)
	if err != nil {
		return nil, err
	}
	d.LocalSeq, d.Confirmed = cseq.Seq, true
	return d, nil
}

// contactOf is the URI of the one Contact that a dialog needs.
func contactOf(m message.Message) (string, error) {
	all, err := message.Addresses(m, "Contact")
	if err != nil {
		return "", err
	}
	if len(all) != 1 || all[0].URI.Wildcard {
		return "", &message.ParseError{Status: 400, Where: "Contact", What: "want exactly one URI"}
	}
	return all[0].URI.String(), nil
}

func reversed(s []string) []string {
	slices.Reverse(s)
	return s
}
