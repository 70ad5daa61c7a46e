package registrar

import (
	"slices"
	"strings"
)

// mediaTags are the feature tags by which a device says what it can carry (RFC
// 3840 section 9); a device that names none of them says nothing.
var mediaTags = []string{"audio", "video", "data", "text", "application", "control", "message", "+sip.message"}

// CanIM says whether requests for instant messages go to this device: it has
// the message tag of RFC 4569 or says nothing about its media. A phone that
// says audio, and nothing of messages, is left alone.
func (b Binding) CanIM() bool {
	if b.has("+sip.message") || b.has("message") {
		return true
	}
	return !slices.ContainsFunc(mediaTags, b.names)
}

// Takes says whether the device accepts a method: it lists it in its methods
// tag (RFC 3840 section 10), or lists none.
func (b Binding) Takes(method string) bool {
	v, ok := b.Contact.Params.Get("methods")
	if !ok {
		return true
	}
	return slices.ContainsFunc(strings.Split(v, ","), func(m string) bool { return strings.EqualFold(strings.TrimSpace(m), method) })
}

// has: the tag is there and not false.
func (b Binding) has(tag string) bool {
	v, ok := b.Contact.Params.Get(tag)
	return ok && !strings.EqualFold(v, "FALSE")
}

func (b Binding) names(tag string) bool {
	_, ok := b.Contact.Params.Get(tag)
	return ok
}

// Devices are the bindings of a user that a request goes to, in the order of
// Bindings: those that take its method, and for instant messages those that
// can IM.
func (r *Registrar) Devices(aor, method string, im bool) []Binding {
	return slices.DeleteFunc(r.Bindings(aor), func(b Binding) bool {
		return !b.Takes(method) || im && !b.CanIM()
	})
}
