package presence

import (
	"slices"

	"presfed/pidf"
)

// share is what another server holds of a presentity.
type share struct {
	doc  pidf.Document
	none bool // that server cannot be reached, or has nothing
}

// SetShare takes in what another server, by name, holds of a presentity; nil says
// that it cannot be known, so that nobody waits for it. The document is one of
// that server's own-share view.
func (p *Presence) SetShare(presentity, server string, doc *pidf.Document) {
	p.cfg.Lanes.Do(presentity, func() {
		who := p.of(presentity)
		s := &share{none: doc == nil}
		if doc != nil {
			s.doc = *doc
		}
		complete := p.complete(presentity)
		p.change(who, func() {
			who.shares[server] = s
			who.stale()
			if !complete {
				who.unseen()
			}
		})
	})
}

// DropShare forgets a server's share: it is no longer asked for.
func (p *Presence) DropShare(presentity, server string) {
	p.cfg.Lanes.Do(presentity, func() {
		if who := p.known(presentity); who != nil && who.shares[server] != nil {
			p.change(who, func() {
				delete(who.shares, server)
				who.stale()
				who.unseen()
			})
		}
	})
}

// unseen notes that nobody has seen the composed view, whatever it is: while a
// share was missing it was not shown.
func (who *presentity) unseen() {
	if who.last != nil {
		who.last = &views{own: who.last.own}
	}
}

// others are the shares there are, in a fixed order.
func (who *presentity) others() []pidf.Share {
	var names []string
	for name, s := range who.shares {
		if !s.none {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := make([]pidf.Share, 0, len(names))
	for _, name := range names {
		out = append(out, pidf.Share{Document: who.shares[name].doc})
	}
	return out
}

// complete says whether the composed view has all it needs.
func (p *Presence) complete(aor string) bool {
	if p.cfg.Others == nil {
		return true
	}
	needed := p.cfg.Others(aor)
	if len(needed) == 0 {
		return true
	}
	who := p.known(aor)
	return who != nil && !slices.ContainsFunc(needed, func(server string) bool { return who.shares[server] == nil })
}
