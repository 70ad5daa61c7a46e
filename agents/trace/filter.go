package trace

import (
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

// Filter says which messages to keep; an empty field keeps all.
type Filter struct {
	// User as people write it: bob, bob@example.com, sip:bob@example.com. It is
	// looked for in Request-URI, From, To and P-Asserted-Identity, at the host
	// and at the hosts below it.
	User string
	// Participant is the sender or the receiver.
	Participant string
	// Dialog is a Call-ID, with the dialog's tags behind it if one dialog among
	// several is meant: "CALL-ID;tag=a;tag=b".
	Dialog string
}

// Apply keeps the messages that the filter asks for. The MSRP sessions that
// SIP messages among them describe belong to the same user and dialog.
func (f Filter) Apply(messages []Message) []Message { return NewSelector(f).Select(messages) }

// Selector applies a filter to messages that come bit by bit.
type Selector struct {
	filter   Filter
	sessions map[string]bool // MSRP sessions of the messages kept
}

// NewSelector has seen no message.
func NewSelector(f Filter) *Selector { return &Selector{filter: f, sessions: map[string]bool{}} }

// Select keeps those of the next messages that the filter asks for.
func (s *Selector) Select(messages []Message) []Message {
	f := s.filter
	kept := make([]bool, len(messages))
	for i := range messages {
		m := &messages[i]
		if m.Protocol != SIP || !f.keepsSIP(m) {
			continue
		}
		kept[i] = true
		for _, path := range m.Paths {
			s.sessions[sessionKey(path)] = true
		}
	}
	var out []Message
	for i := range messages {
		m := &messages[i]
		if m.Protocol != SIP {
			kept[i] = f.User == "" && f.Dialog == "" ||
				slices.ContainsFunc(slices.Concat(m.ToPath, m.FromPath), func(p string) bool { return s.sessions[sessionKey(p)] })
		}
		if kept[i] && (f.Participant == "" || m.From == f.Participant || m.To == f.Participant) {
			out = append(out, *m)
		}
	}
	return out
}

func (f Filter) keepsSIP(m *Message) bool {
	if f.Dialog != "" {
		id, rest, _ := strings.Cut(f.Dialog, ";")
		if m.CallID != id {
			return false
		}
		for param := range strings.SplitSeq(rest, ";") {
			tag, ok := strings.CutPrefix(param, "tag=")
			if ok && tag != m.FromTag && tag != m.ToTag {
				return false
			}
		}
	}
	return f.User == "" || slices.ContainsFunc(append([]string{m.RequestURI, m.FromURI, m.ToURI}, m.Asserted...), f.isUser)
}

func (f Filter) isUser(uri string) bool {
	u, err := message.ParseURI(uri)
	if err != nil || u.User == "" {
		return false
	}
	user, host := f.User, ""
	if scheme, rest, ok := strings.Cut(user, ":"); ok && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		user = rest
	}
	user, _, _ = strings.Cut(user, ";")
	user, host, _ = strings.Cut(user, "@")
	if host, _, _ = strings.Cut(host, ":"); host != "" {
		have, want := strings.ToLower(u.Host), strings.ToLower(host)
		if have != want && !strings.HasSuffix(have, "."+want) {
			return false
		}
	}
	return message.Unescape(u.User) == message.Unescape(user)
}

// sessionKey is an MSRP URI less what RFC 4975 section 6.1 does not compare: the
// case of scheme and host, the user part, and parameters after the transport.
func sessionKey(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return uri
	}
	rest, _, _ = strings.Cut(rest, ";")
	authority, session, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	return strings.ToLower(scheme+"://"+authority) + "/" + session
}
