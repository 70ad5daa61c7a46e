package presence

import (
	"bytes"
	"sync"

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
	d := event.Decision{Verdict: treatment.Verdict(), Treatment: string(treatment)}
	if d.Verdict == event.Active && s.View() == Composed {
		p.agreed(s, &d)
	}
	return d, nil
}

// agreed takes in what the other servers say of a watcher who is shown something.
func (p *Presence) agreed(s *event.Subscription, d *event.Decision) {
	denied, undecided := p.stand(s.Resource(), s.Watcher())
	switch {
	case denied && s.Watcher() != s.Resource():
		d.Verdict, d.Treatment = event.Rejected, string(Block)
		return
	case undecided:
		d.Verdict, d.Treatment = event.Pending, string(Confirm)
	}
	if !p.complete(s.Resource(), s.Watcher()) {
		d.Wait = p.cfg.Wait
	}
}

// body is the document one watcher is shown: each is complete (RFC 3856 section
// 6.8), so while a share is missing there is none, and none where it would be too
// large for any NOTIFY.
func (p *Presence) body(s *event.Subscription, _ bool, _ uint64) (event.Body, error) {
	return event.Body{Bytes: p.shown(s, s.Treatment())}, nil
}

// shown is the document that a watcher is shown under a treatment. One who is
// blocked politely must not be able to tell that from somebody who is not there.
func (p *Presence) shown(s *event.Subscription, treatment string) []byte {
	if s.View() == Composed && !p.complete(s.Resource(), s.Watcher()) {
		return nil
	}
	who := p.known(s.Resource())
	if who == nil || treatment != string(Allow) {
		return p.absent(s.Resource(), s.View())
	}
	if s.View() == Own {
		return p.own(p.look(who))
	}
	view := p.composed(who, s.Watcher())
	if len(view) > p.cfg.View { // SetShare has said so
		return nil
	}
	return view
}

// same says that a watcher is shown what she was under another treatment.
func (p *Presence) same(s *event.Subscription, before string) bool {
	return bytes.Equal(p.shown(s, before), p.shown(s, s.Treatment()))
}

// tell lets those watchers know whose view has changed.
func (p *Presence) tell(who *presentity) {
	if who.views != nil {
		return // nothing has changed since they were made
	}
	p.tellSince(who, who.last, nil)
}

// tellSince lets those know whose view is another than before, but for those who
// are told already.
func (p *Presence) tellSince(who *presentity, before *views, told map[*event.Subscription]bool) {
	own := sync.OnceValue(func() bool { return before == nil || !bytes.Equal(before.own, p.own(p.look(who))) })
	changed := map[string]bool{} // by the watcher whom the view is for
	p.notifier.Changed(who.aor, Name, func(s *event.Subscription) bool {
		if s.Treatment() != string(Allow) || told[s] {
			return false
		}
		if s.View() == Own {
			return own()
		}
		key := p.viewer(who, s.Watcher())
		news, known := changed[key]
		if !known {
			news = p.complete(who.aor, s.Watcher())
			if news && before != nil {
				seen, ok := before.composed[key]
				news = !ok || !bytes.Equal(seen, p.composed(who, s.Watcher()))
			}
			changed[key] = news
		}
		return news
	})
}

// renew has one watcher's view made anew, which a share for her alone goes into, and
// gives what tells her of it, unless she is told already. unseen: she has not seen
// it, whatever it is.
func (p *Presence) renew(who *presentity, watcher string, unseen bool) (tell func(told map[*event.Subscription]bool)) {
	seen, known := who.views.composed[watcher]
	delete(who.views.composed, watcher)
	return func(told map[*event.Subscription]bool) {
		p.notifier.Changed(who.aor, Name, func(s *event.Subscription) bool {
			return s.View() == Composed && s.Watcher() == watcher && s.Treatment() == string(Allow) && !told[s] && p.complete(who.aor, watcher) &&
				(unseen || !known || !bytes.Equal(seen, p.composed(who, watcher)))
		})
	}
}
