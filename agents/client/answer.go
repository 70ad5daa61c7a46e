package client

import "fmt"

// Answer is what a device does with an invitation to a session.
type Answer string

// The answers.
const (
	AnswerBusy Answer = ""     // 486: nobody is there to answer
	AnswerAuto Answer = "auto" // 200 at once
	AnswerRing Answer = "ring" // 180, until Session.Accept or Session.Decline
	// AnswerEarly is AnswerRing that takes the first message meanwhile, by an early
	// session, from peers that can do so.
	AnswerEarly   Answer = "early"
	AnswerDecline Answer = "decline" // 603
)

func (a Answer) valid() error {
	switch a {
	case AnswerBusy, AnswerAuto, AnswerRing, AnswerEarly, AnswerDecline:
		return nil
	}
	return fmt.Errorf("answer %q: want auto, ring, early, decline, or none for busy", string(a))
}

// ParseAnswer reads auto, ring, early, busy or decline.
func ParseAnswer(word string) (Answer, error) {
	switch a := Answer(word); {
	case word == "busy":
		return AnswerBusy, nil
	case word != "" && a.valid() == nil:
		return a, nil
	}
	return "", fmt.Errorf("answer %q: want auto, ring, early, busy or decline", word)
}
