package presence

import (
	"bytes"

	"presfed/agents/internal/event"
)

// decide says whether a watcher may watch, and what she is shown.
func (p *Presence) decide(s *event.Subscription) (event.Decision, error) {
	treatment := Allow
	if s.Watcher() != s.Resource() {
		var err error
		if treatment, err = p.cfg.Policy(s.Resource(), s.Watcher()); err != nil {
			return event.Decision{}, err
		}
	}
	d := event.Decision{Treatment: string(treatment)}
	switch treatment {
	case Allow:
		d.Verdict = event.Active
		if s.View() == Composed && !p.complete(s.Resource()) {
			d.Wait = p.cfg.Wait
		}
	case PoliteBlock:
		d.Verdict = event.Active
	case Confirm:
		d.Verdict = event.Pending
	}
	return d, nil
}

// body is the document one watcher is shown: each is complete (RFC 3856 section
// 6.8), so while a share is missing there is none.
func (p *Presence) body(s *event.Subscription, _ bool, _ uint64) (event.Body, error) {
	if s.Treatment() != string(Allow) {
		return event.Body{Bytes: p.absent(s.Resource(), s.View())}, nil
	}
	if s.View() == Composed && !p.complete(s.Resource()) {
		return event.Body{}, nil
	}
	who := p.known(s.Resource())
	if who == nil {
		return event.Body{Bytes: p.absent(s.Resource(), s.View())}, nil
	}
	return event.Body{Bytes: p.look(who).of(s.View())}, nil
}

// tell lets those watchers know whose view has changed.
func (p *Presence) tell(who *presentity) {
	if who.views != nil {
		return // nothing has changed since they were made
	}
	before := who.last
	now := p.look(who)
	changed := func(view string) bool { return before == nil || !bytes.Equal(before.of(view), now.of(view)) }
	own, composed := changed(Own), changed(Composed) && p.complete(who.aor)
	if !own && !composed {
		return
	}
	p.notifier.Changed(who.aor, Name, func(s *event.Subscription) bool {
		if s.Treatment() != string(Allow) {
			return false
		}
		if s.View() == Own {
			return own
		}
		return composed
	})
}
