package presence

import (
	"cmp"
	"slices"
	"time"

	"presfed/agents/internal/event"
	"presfed/pidf"
)

// Others are the servers whose shares a composed view needs beside our own.
type Others struct {
	Servers []string
	// Personal: each watcher is shown what those servers show her, since they have
	// policies of their own. Otherwise one share is for all.
	Personal bool
	// Unknown: it cannot be said at present; it is asked again, and who is new is
	// shown nothing meanwhile.
	Unknown bool
}

// Origin says whose share it is.
type Origin struct {
	Server  string
	Watcher string // whom it is for; "": for all
}

// Share is what another server holds of a presentity.
type Share struct {
	Document *pidf.Document // nil: nothing is there, or it cannot be reached
	// Undecided: that server's policy has not decided on the watcher, or has not
	// been heard. Denied: it refuses her.
	Undecided, Denied bool
}

// SetShare takes in what another server holds of a presentity; nil forgets it.
// The document is one of that server's own-share view. To be called in her lane.
func (p *Presence) SetShare(presentity string, from Origin, s *Share) {
	who := p.known(presentity)
	if who == nil && s == nil {
		return
	}
	who = p.of(presentity)
	before := who.shares[from]
	missing := !p.complete(presentity, from.Watcher)
	if s == nil {
		delete(who.shares, from)
	} else {
		who.shares[from] = s
	}
	var tell func(told map[*event.Subscription]bool)
	if from.Watcher != "" && who.views != nil && !disturbs(before) && !disturbs(s) {
		tell = p.renew(who, from.Watcher, missing)
	} else {
		if who.stale(); missing {
			who.unseen(from.Watcher)
		}
		last := who.last // decisions look at the views
		tell = func(told map[*event.Subscription]bool) { p.tellSince(who, last, told) }
	}
	var told map[*event.Subscription]bool
	if was, is := decides(before), decides(s); was.Denied != is.Denied || from.Watcher != "" && was != is {
		told = p.notifier.RedecideNow(presentity, from.concerns) // before anyone is shown more
	}
	tell(told)
	if missing {
		p.reveal(who, from, told)
	}
	if who.views != nil && p.size(who.views) > p.cfg.View {
		p.cfg.Log.Warn("with the shares of other servers a view is too large for a NOTIFY: it is not shown", "presentity", presentity, "bytes", p.size(who.views), "most", p.cfg.View)
	}
	p.tidy(who)
}

// reveal tells those who are blocked politely what they are shown once the view has
// all it needs, as it is told to everybody whom it was not shown before.
func (p *Presence) reveal(who *presentity, from Origin, told map[*event.Subscription]bool) {
	p.notifier.Changed(who.aor, Name, func(s *event.Subscription) bool {
		return s.View() == Composed && s.Treatment() == string(PoliteBlock) && !told[s] && from.concerns(s) && p.complete(who.aor, s.Watcher())
	})
}

// concerns says whether a share can matter to a subscription.
func (o Origin) concerns(s *event.Subscription) bool {
	return o.Watcher == "" || s.Watcher() == o.Watcher
}

// disturbs says that a share may close devices here: somebody in it is not to be
// disturbed.
func disturbs(s *Share) bool {
	return s != nil && s.Document != nil && slices.ContainsFunc(s.Document.Persons, func(person pidf.Person) bool {
		return pidf.RankOf(person) == pidf.RankDoNotDisturb
	})
}

// decides is the part of a share that a decision on a watcher depends on.
func decides(s *Share) (d Share) {
	if s == nil {
		return Share{Undecided: true}
	}
	return Share{Undecided: s.Undecided, Denied: s.Denied}
}

// unseen notes that nobody of those it is for has seen the composed view,
// whatever it is: while a share was missing it was not shown.
func (who *presentity) unseen(watcher string) {
	if who.last == nil {
		return
	}
	last := &views{own: who.last.own, composed: map[string][]byte{}}
	for w, view := range who.last.composed {
		if watcher != "" && w != watcher {
			last.composed[w] = view
		}
	}
	who.last = last
}

// needs are the servers whose shares are needed, as long as the directory says
// so; see Placed.
func (p *Presence) needs(aor string) Others {
	if p.cfg.Others == nil {
		return Others{}
	}
	who := p.known(aor)
	if who == nil {
		return p.cfg.Others(aor)
	}
	if who.others == nil {
		others := p.cfg.Others(aor)
		if others.Unknown {
			return others
		}
		who.others = &others
	}
	return *who.others
}

// from is where a watcher's share of a server comes from.
func (o Others) from(server, watcher string) Origin {
	if !o.Personal {
		watcher = ""
	}
	return Origin{Server: server, Watcher: watcher}
}

// complete says whether the composed view has all it needs for a watcher.
func (p *Presence) complete(aor, watcher string) bool {
	needs := p.needs(aor)
	if len(needs.Servers) == 0 {
		return !needs.Unknown
	}
	who := p.known(aor)
	return who != nil && !slices.ContainsFunc(needs.Servers, func(server string) bool {
		s := who.shares[needs.from(server, watcher)]
		return s == nil || s.Undecided
	})
}

// stand is what the other servers say of a watcher: one that denies denies her
// altogether, and nothing is shown before all have agreed.
func (p *Presence) stand(aor, watcher string) (denied, undecided bool) {
	needs := p.needs(aor)
	who := p.known(aor)
	for _, server := range needs.Servers {
		var s *Share
		if who != nil {
			s = who.shares[needs.from(server, watcher)]
		}
		denied = denied || s != nil && s.Denied
		undecided = undecided || needs.Personal && (s == nil || s.Undecided)
	}
	return denied, undecided
}

// others are the documents of the shares that a watcher's view is made of, in a
// fixed order; personal ones of all watchers for "".
func (p *Presence) others(who *presentity, watcher string) []pidf.Share {
	needs := p.needs(who.aor)
	var from []Origin
	for origin, s := range who.shares {
		if s.Document == nil || !slices.Contains(needs.Servers, origin.Server) {
			continue
		}
		if needs.Personal == (origin.Watcher != "") && (watcher == "" || !needs.Personal || origin.Watcher == watcher) {
			from = append(from, origin)
		}
	}
	slices.SortFunc(from, func(a, b Origin) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Watcher, b.Watcher))
	})
	out := make([]pidf.Share, 0, len(from))
	for _, origin := range from {
		// A server that marks nothing: all of it is one publication of its own.
		out = append(out, pidf.Share{Source: pidf.Source{Publication: "at " + origin.Server}, Document: *who.shares[origin].Document})
	}
	return out
}

// began and ended keep the composed view's watchers, so that the shares they need
// are asked for while somebody watches.
func (p *Presence) began(s *event.Subscription) {
	if s.View() == Composed {
		switch needs := p.needs(s.Resource()); {
		case needs.Unknown:
			p.askAgain(s.Resource())
		case len(needs.Servers) > 0:
			who := p.of(s.Resource())
			if who.watching == nil {
				who.watching = map[*event.Subscription]bool{}
			}
			who.watching[s] = true
			p.need(who, s.Watcher())
		}
	}
	if p.cfg.Began != nil {
		p.cfg.Began(s)
	}
}

func (p *Presence) ended(s *event.Subscription, reason string) {
	if who := p.known(s.Resource()); who != nil && who.watching[s] {
		delete(who.watching, s)
		p.need(who, s.Watcher())
		p.tidy(who)
	}
	if p.cfg.Ended != nil {
		p.cfg.Ended(s, reason)
	}
}

// need says which shares are needed, if that depends on this watcher.
func (p *Presence) need(who *presentity, watcher string) {
	if p.cfg.Need == nil {
		return
	}
	needs := p.needs(who.aor)
	watchers := map[string]bool{}
	for s := range who.watching {
		if needs.Personal {
			watchers[s.Watcher()] = true
		} else {
			watchers[""] = true
			break
		}
	}
	key := watcher
	if !needs.Personal {
		key = ""
	}
	if watchers[key] == who.asked[key] {
		return
	}
	who.asked = watchers
	p.cfg.Need(who.aor, origins(needs, watchers))
}

func origins(needs Others, watchers map[string]bool) (all []Origin) {
	for _, server := range needs.Servers {
		for watcher := range watchers {
			all = append(all, Origin{Server: server, Watcher: watcher})
		}
	}
	return all
}

// Placed says that the directory has changed about a presentity, or about what
// policy her servers go by: the shares she needs are asked for anew. It returns
// at once.
func (p *Presence) Placed(presentity string) {
	if p.cfg.Others == nil {
		return
	}
	p.cfg.Lanes.Do(presentity, func() {
		needs := p.cfg.Others(presentity)
		if needs.Unknown { // what was known stays
			p.askAgain(presentity)
			return
		}
		who := p.of(presentity)
		defer p.tidy(who)
		var before Others
		if who.others != nil {
			before = *who.others
		}
		if len(before.Servers) == 0 && len(needs.Servers) == 0 && len(who.watching) == 0 {
			who.others = &needs
			return
		}
		who.watching = map[*event.Subscription]bool{}
		if len(needs.Servers) > 0 {
			for _, s := range p.notifier.Subscriptions(presentity) {
				if s.View() == Composed && s.Package() == Name && s.State() != event.StateTerminated {
					who.watching[s] = true
				}
			}
		}
		who.asked = map[string]bool{}
		for s := range who.watching {
			if needs.Personal {
				who.asked[s.Watcher()] = true
			} else {
				who.asked[""] = true
			}
		}
		// What comes of it at once, share by share, is not to be seen before all of it
		// is there.
		who.others = &before
		if p.cfg.Need != nil {
			p.cfg.Need(presentity, origins(needs, who.asked))
		}
		who.others = &needs
		who.stale()
		last := who.last // decisions look at the views
		p.tellSince(who, last, p.notifier.RedecideNow(presentity, nil))
	})
}

// askAgain has the directory asked once more whose shares a presentity needs.
func (p *Presence) askAgain(presentity string) {
	p.cfg.Clock.AfterFunc(askAgainAfter, func() { p.Placed(presentity) })
}

const askAgainAfter = 5 * time.Second
