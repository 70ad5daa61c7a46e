package client

import (
	"cmp"

	"presfed/agents/internal/message"
)

const sdp = "application/sdp"

// descriptions are the session descriptions that a message holds, by what they
// are for (RFC 3261 section 20.11, RFC 3959 section 4); nil: none.
type descriptions struct{ session, early []byte }

// descriptionsOf reads a body of one or several parts. The error is a
// *message.ParseError: 415 for what has to be understood and is not.
func descriptionsOf(m message.Message) (d descriptions, err error) {
	if len(m.Body()) == 0 {
		return d, nil
	}
	foreign := func(what string) error { return &message.ParseError{Status: 415, Where: "body", What: what} }
	if message.Has(m, "Content-Encoding") {
		return d, foreign("encoded as " + message.Get(m, "Content-Encoding"))
	}
	contentType := message.Get(m, "Content-Type")
	parts := []message.Part{message.NewPart(m.Body(), "Content-Type", contentType, "Content-Disposition", message.Get(m, "Content-Disposition"))}
	if message.IsMultipart(contentType) {
		if parts, err = message.ParseParts(contentType, m.Body(), message.DefaultPartLimits); err != nil {
			return d, err
		}
	}
	for _, p := range parts {
		switch use := cmp.Or(p.Disposition(), "session"); {
		case p.Type() == sdp && use == "session":
			d.session = p.Body
		case p.Type() == sdp && use == early:
			d.early = p.Body
		case p.Required():
			return descriptions{}, foreign(p.Type() + " as " + use)
		}
	}
	return d, nil
}
