package policy

import "presfed/db"

// IM is the answer to a stand-alone MESSAGE or an INVITE that this decision is
// about: 0 to go on, else the status to refuse with.
//
// Presence policy is what there is to go by (RFC 5025 speaks of subscriptions
// alone). A polite block looks to the sender as to a watcher: as somebody who is
// not there. While a decision is outstanding nothing passes, since a message
// that was shown cannot be taken back; the sender's subscription is what asks
// for the decision.
func (d Decision) IM() (status int) {
	switch d.Handling {
	case db.Allow:
		return 0
	case db.PoliteBlock:
		return 480
	}
	return 403
}

// Subscription is the answer to a SUBSCRIBE that this decision is about: 0 to go
// on, else the status to refuse with. Confirm goes on as pending, PoliteBlock as
// active with a document that says closed (RFC 3856 section 6.6.2).
func (d Decision) Subscription() (status int) {
	switch d.Handling {
	case db.Allow, db.PoliteBlock, db.Confirm:
		return 0
	}
	return 403
}
