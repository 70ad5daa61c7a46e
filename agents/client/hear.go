package client

import (
	"strings"

	"presfed/agents/internal/msrp"
)

// tell tells of a message that came, by an early session or the established one,
// and where it was saved.
func (s *Session) tell(m msrp.Message, early bool, file string) {
	if s.again(m) {
		return
	}
	state := "established"
	if early {
		state = "early"
	}
	e := Event{Type: "im", From: s.peer, Via: "session", State: state, ContentType: m.ContentType, Size: m.Size, File: file}
	if isText(m.ContentType) {
		e.Text = string(m.Body)
	}
	s.client.emit(e)
}

func isText(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, "/")
	return strings.EqualFold(kind, "text")
}

// again says whether a message came before: one that was shown early is not shown
// again when its sender, who did not know, sends it on the established session.
func (s *Session) again(m msrp.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.heard[m.ID]
	if s.state < established && len(s.heard) < maxHeard {
		if s.heard == nil {
			s.heard = map[string]bool{}
		}
		s.heard[m.ID] = true
	}
	return again
}

// maxHeard bounds the Message-IDs that are remembered.
const maxHeard = 64
