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
	body, err := decoded(m)
	if err != nil {
		return d, err
	}
	whole := message.NewPart(body, "Content-Type", message.Get(m, "Content-Type"), "Content-Disposition", message.Get(m, "Content-Disposition"))
	if err = d.read(whole, maxNested); err != nil {
		return descriptions{}, err
	}
	return d, nil
}

// maxNested is how deep bodies of several parts may stand in each other.
const maxNested = 4

// read takes what a part holds, nested ones as if they were not (RFC 5621 section
// 4.3). What is optional and not understood is left out.
func (d *descriptions) read(p message.Part, depth int) (err error) {
	switch use := cmp.Or(p.Disposition(), "session"); {
	case p.Type() == sdp && use == "session":
		d.session = p.Body
	case p.Type() == sdp && use == early:
		d.early = p.Body
	case message.IsMultipart(p.Type()) && depth > 0:
		err = d.readAll(p, depth)
	default:
		err = foreign(p.Type() + " as " + use)
	}
	if p.Required() {
		return err
	}
	return nil
}

// readAll takes what the parts of a part hold. Of alternatives one is enough, and
// the last one counts (RFC 2046 section 5.1.4).
func (d *descriptions) readAll(p message.Part, depth int) error {
	parts, err := message.ParseParts(p.Header.Get("Content-Type"), p.Body, message.DefaultPartLimits)
	if err != nil {
		return err
	}
	alternative, understood, within := p.Type() == "multipart/alternative", false, *d
	for _, part := range parts {
		perr := within.read(part, depth-1)
		switch {
		case perr == nil:
			understood = true
		case !alternative:
			return perr
		default:
			err = perr
		}
	}
	if alternative && !understood {
		return err
	}
	*d = within
	return nil
}

func foreign(what string) error {
	return &message.ParseError{Status: 415, Where: "body", What: what}
}
