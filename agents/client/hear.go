package client

import (
	"strings"

	"presfed/agents/internal/msrp"
)

func (s *Session) received(m msrp.Message) { s.tell(m, "") }

// tell tells of a message that came, and where it was saved.
func (s *Session) tell(m msrp.Message, file string) {
	state, again := s.hears(m)
	if again {
		return
	}
	e := Event{Type: "im", From: s.peer, Via: "session", State: state, ContentType: m.ContentType, Size: m.Size, File: file}
	if kind, _, _ := strings.Cut(m.ContentType, "/"); strings.EqualFold(kind, "text") {
		e.Text = string(m.Body)
	}
	s.client.emit(e)
}

// hears says in which state of the session a message came, and whether it came
// before: one that was shown early is not shown again when its sender, who did
// not know, sends it on the established session.
func (s *Session) hears(m msrp.Message) (state string, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == established {
		return "established", m.Duplicate || s.heard[m.ID]
	}
	if s.heard == nil {
		s.heard = map[string]bool{}
	}
	again = m.Duplicate || s.heard[m.ID]
	if len(s.heard) < maxHeard {
		s.heard[m.ID] = true
	}
	return "early", again
}

// maxHeard bounds the Message-IDs that are remembered.
const maxHeard = 64
