package client

import (
	"fmt"

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
	in := arrival{
		event: Event{From: s.peer, Via: "session", State: state, Size: m.Size, File: file},
		sure:  s.sure, session: s, content: content{contentType: m.ContentType},
	}
	if int64(len(m.Body)) == m.Size {
		var err error
		if in.content, err = open(m.ContentType, m.Body); err != nil && statusOf(err) == 400 {
			s.client.emit(Failed(fmt.Errorf("a message of %s cannot be read: %w", s.peer, err)))
			return
		}
	}
	s.client.received(in)
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
