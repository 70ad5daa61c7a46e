package im

import (
	"strings"

	"presfed/agents/internal/message"
)

// Vouch gives a copy the fields that tell who sent it (RFC 3325): the sender
// as we know it, none where nobody is to be named, and nothing that the sender claims. Servers of the domain
// trust each other; devices are outside that trust, so that a sender who asks
// for privacy stays unnamed to them (section 7).
func (s *Service) Vouch(copy *message.Request, from Sender, toServer bool) {
	message.Remove(copy, "P-Preferred-Identity")
	message.Remove(copy, "P-Asserted-Identity")
	message.Remove(copy, "Remote-Party-ID") // never an RFC, but phones show it
	if from.User != "" && (toServer || !wantsPrivacy(copy)) {
		uri, err := message.ParseURI("sip:" + from.User)
		if err == nil {
			message.Set(copy, "P-Asserted-Identity", message.Address{Display: from.Display, URI: uri}.String())
		}
	}
	if s.cfg.Strip != nil {
		s.cfg.Strip(copy)
	}
}

// Screen does for a response what Vouch does for a request: what a device says of
// itself goes no further, and no client is told whom a server asserts who asks for
// privacy.
func Screen(res *message.Response, byDevice, toClient bool) {
	message.Remove(res, "P-Preferred-Identity")
	message.Remove(res, "Remote-Party-ID")
	if byDevice || toClient && wantsPrivacy(res) {
		message.Remove(res, "P-Asserted-Identity")
	}
}

// wantsPrivacy is Privacy: id (RFC 3325 section 9.3), whatever stands between the
// values: RFC 3323 has semicolons, and nobody's name is shown for a wrong one.
func wantsPrivacy(m message.Message) bool {
	between := func(r rune) bool { return r > 0x7f || !message.IsToken(string(r)) }
	for _, field := range message.Raw(m, "Privacy") {
		for value := range strings.FieldsFuncSeq(field, between) {
			if strings.EqualFold(value, "id") {
				return true
			}
		}
	}
	return false
}

// carriesIM says whether a request is about instant messages: a MESSAGE, or an
// offer of a message session (RFC 4975 section 8). An INVITE without an offer
// may become anything.
func carriesIM(req *message.Request) bool {
	if req.Method == message.MESSAGE {
		return true
	}
	body := string(req.Body())
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "m=message ") {
			return true
		}
	}
	return false
}
