package flow

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

// offer asks for the INVITE that may ring several devices.
func offer(f string) []Check {
	return one(f, requestURI("alice", ""), supports("early-session", "100rel"), describesMessages, pathOf(BobPC))
}

func supports(options ...string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Supported names " + strings.Join(options, ", "), Source: "; RFC 3262 section 4, RFC 3959 section 5",
			holds: func(_ *evidence, s *side) (bool, string) {
				got := s.values("Supported")
				has := func(o string) bool {
					return slices.ContainsFunc(got, func(g string) bool { return strings.EqualFold(g, o) })
				}
				return !slices.ContainsFunc(options, func(o string) bool { return !has(o) }), strings.Join(got, ", ")
			}}
	}
}

func (s *side) values(field string) []string {
	if s.message == nil {
		return nil
	}
	return message.Values(s.message, field)
}

// bodyOf asks that a body comes as it was sent to the one who passes it on.
func bodyOf(as, what string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "body is that of " + as + ": " + what, Source: "; RFC 3261 section 16.6 step 1, section 16.7", also: []string{as},
			holds: func(e *evidence, s *side) (bool, string) {
				o := e.seen[as]
				return o != nil && len(s.body()) > 0 && bytes.Equal(o.last().body(), s.body()), fmt.Sprintf("%d bytes", len(s.body()))
			}}
	}
}

// at asks that a request has reached the device: its Contact stands in it.
func at(device string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "Request-URI is at " + device, Source: "; RFC 3261 section 16.5",
			holds: func(e *evidence, s *side) (bool, string) {
				uri := s.requestURI()
				addr, err := netip.ParseAddr(strings.Trim(uri.Host, "[]"))
				return err == nil && e.facts.isAddr(device, addr), uri.String()
			}}
	}
}

// answerAndEarlyOffer asks for the 183 of a device that shows the first message
// before anybody answers.
func answerAndEarlyOffer(f, device string) []Check {
	return one(f, reliable, twoSessions, pathsOf(device), earlyOfferActpass)
}

func reliable(f string) Check {
	return Check{F: f, Name: "183 is reliable", Source: "; RFC 3262 section 3", holds: func(_ *evidence, s *side) (bool, string) {
		return slices.Contains(s.values("Require"), "100rel") && s.get("RSeq") != "",
			"Require: " + strings.Join(s.values("Require"), ", ") + "; RSeq: " + s.get("RSeq")
	}}
}

// description is the SDP of a body with a disposition; where the body is one of
// several, that part.
func (s *side) description(disposition string) *side {
	if s.message == nil {
		return nil
	}
	if !message.IsMultipart(s.get("Content-Type")) {
		own, _, _ := strings.Cut(s.get("Content-Disposition"), ";")
		if own == "" {
			own = "session" // RFC 3261 section 20.11
		}
		if strings.EqualFold(own, disposition) && message.ContentType(s.message) == "application/sdp" {
			return &side{raw: s.body()}
		}
		return nil
	}
	list, err := message.ParseParts(s.get("Content-Type"), s.body(), message.DefaultPartLimits)
	if err != nil {
		return nil
	}
	for _, p := range list {
		if p.Disposition() == disposition && p.Type() == "application/sdp" {
			return &side{raw: p.Body}
		}
	}
	return nil
}

// line is the one line of an SDP that begins with prefix, without it.
func (s *side) line(prefix string) string {
	if s == nil {
		return ""
	}
	if lines := sdpLines(s.raw, prefix); len(lines) == 1 {
		return lines[0]
	}
	return ""
}

// twoSessions asks for both bodies, each a session of its own.
func twoSessions(f string) Check {
	return Check{F: f, Name: "answer and early offer are apart: parts, ports, session ids", Source: "; RFC 3959 sections 3 and 6, RFC 5621",
		holds: func(_ *evidence, s *side) (bool, string) {
			answer, offer := s.description("session"), s.description("early-session")
			if answer == nil || offer == nil {
				return false, s.get("Content-Type") + ", without an SDP for session and one for early-session"
			}
			kind, _, _ := strings.Cut(s.get("Content-Type"), ";")
			media := func(s *side) (port string) { port, _, _ = strings.Cut(s.line("m=message "), " "); return port }
			session := func(s *side) string {
				if words := strings.Fields(s.line("o=")); len(words) > 1 {
					return words[1]
				}
				return ""
			}
			got := fmt.Sprintf("%s; ports %s and %s, session ids %s and %s", kind, media(answer), media(offer), session(answer), session(offer))
			return strings.EqualFold(kind, "multipart/mixed") && media(answer) != "" && media(offer) != "" && media(answer) != media(offer) &&
				session(answer) != "" && session(offer) != "" && session(answer) != session(offer), got
		}}
}

// pathsOf asks that both sessions end at the device.
func pathsOf(device string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "both paths are of " + device, Source: "; RFC 4975 section 8.1",
			holds: func(e *evidence, s *side) (bool, string) {
				a, b := s.description("session").line("a=path:"), s.description("early-session").line("a=path:")
				return e.facts.endsAt(device, a) && e.facts.endsAt(device, b), a + ", " + b
			}}
	}
}

func earlyOfferActpass(f string) Check {
	return Check{F: f, Name: "early offer is a=setup:actpass", Source: "; RFC 6135 section 4.2", holds: func(_ *evidence, s *side) (bool, string) {
		got := s.description("early-session").line("a=setup:")
		return got == "actpass", got
	}}
}

// earlyAnswer asks for a PRACK that acknowledges a 183, and answers its early
// offer.
func earlyAnswer(f, provisional string) []Check {
	return one(f, rack(provisional), func(f string) Check {
		return Check{F: f, Name: "early answer is of bob-pc, a=setup:active", Source: "; RFC 3262 section 5, RFC 3959 section 3, RFC 6135 section 4.2",
			holds: func(e *evidence, s *side) (bool, string) {
				answer := s.description("early-session")
				path, setup := answer.line("a=path:"), answer.line("a=setup:")
				return e.facts.endsAt(BobPC, path) && setup == "active", path + ", " + setup
			}}
	})
}

// rack asks for the RSeq and CSeq of a 183.
func rack(provisional string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "RAck is for " + provisional, Source: "; RFC 3262 section 7.2", also: []string{provisional},
			holds: func(e *evidence, s *side) (bool, string) {
				o := e.seen[provisional]
				if o == nil {
					return false, "no " + provisional
				}
				want := strings.Join(strings.Fields(o.last().get("RSeq")+" "+o.last().get("CSeq")), " ")
				got := strings.Join(strings.Fields(s.get("RAck")), " ")
				return got == want, got
			}}
	}
}

func noEarlySession(f string) Check {
	return Check{F: f, Name: "no early-session body", Source: "; RFC 3959 section 4", holds: func(_ *evidence, s *side) (bool, string) {
		return s.message != nil && s.description("early-session") == nil, s.get("Content-Disposition") + s.get("Content-Type")
	}}
}

func noBody(f string) Check {
	return Check{F: f, Name: "no body: the offer was answered before", Source: "; RFC 3261 section 13.2.1, RFC 3959 section 4",
		holds: func(_ *evidence, s *side) (bool, string) {
			return s.message != nil && len(s.body()) == 0, fmt.Sprintf("%d bytes", len(s.body()))
		}}
}

// unasserted asks that nobody is asserted: in ACK and PRACK the dialog says enough.
func unasserted(f string) Check {
	return Check{F: f, Name: "no P-Asserted-Identity", Source: "; RFC 3325 section 9.1", holds: func(_ *evidence, s *side) (bool, string) {
		return s.message != nil && len(s.values("P-Asserted-Identity")) == 0, strings.Join(s.values("P-Asserted-Identity"), ", ")
	}}
}

// oneVia asks that a message goes one hop: a CANCEL, its response, the ACK to a
// refusal.
func oneVia(f string) Check {
	return Check{F: f, Name: "goes one hop: one Via", Source: "; RFC 3261 sections 9.1, 16.10 and 17.1.1.3", holds: func(_ *evidence, s *side) (bool, string) {
		got := s.values("Via")
		return len(got) == 1, fmt.Sprint(len(got))
	}}
}

// text asks what a SEND says, and that it is of the session that was described
// in f, with a disposition.
func text(send, words, f, disposition string) []Check {
	return []Check{
		{F: send, Name: `text is "` + words + `"`, Source: "; RFC 4975 section 5.1", holds: func(_ *evidence, s *side) (bool, string) {
			_, body := s.msrp()
			return body == words, body
		}},
		{F: send, Name: "To-Path is the " + disposition + " of " + f, Source: "; RFC 4975 section 5.1", also: []string{f}, holds: func(e *evidence, s *side) (bool, string) {
			head, _ := s.msrp()
			got := head["to-path"]
			o := e.seen[f]
			return o != nil && got != "" && o.last().description(disposition).line("a=path:") == got, got
		}},
	}
}

// msrp is the head of an MSRP request, by names in lower case, and its content
// (RFC 4975 section 7.1).
func (s *side) msrp() (head map[string]string, content string) {
	top, rest, _ := strings.Cut(string(s.raw), "\r\n\r\n")
	head = map[string]string{}
	for line := range strings.Lines(top) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			head[strings.ToLower(name)] = strings.TrimSpace(value)
		}
	}
	if end := strings.LastIndex(rest, "\r\n-------"); end >= 0 {
		content = rest[:end]
	}
	return head, content
}
