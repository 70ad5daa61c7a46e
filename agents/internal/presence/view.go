package presence

import (
	"presfed/pidf"
)

// views are a presentity's documents as her watchers get them, written once for
// all who see the same.
type views struct {
	own      []byte            // nil: nobody has looked yet
	mirrored pidf.Document     // what own is written of
	composed map[string][]byte // by the watcher it is for; "": for all
	shares   pidf.Document     // our own share before any device policy
}

// look makes the views, unless they stand. Those that are for one watcher alone
// are made when somebody looks.
func (p *Presence) look(who *presentity) *views {
	if who.views == nil {
		if who.views, who.made = who.made, nil; who.views == nil {
			who.views = p.compose(who, who.publications)
		}
		who.last = who.views
	}
	return who.views
}

// viewer is the watcher whom a watcher's composed view is for; "" for all.
func (p *Presence) viewer(who *presentity, watcher string) string {
	if p.needs(who.aor).Personal {
		return watcher
	}
	return ""
}

// composed is the composed view as a watcher sees it.
func (p *Presence) composed(who *presentity, watcher string) []byte {
	v, key := p.look(who), p.viewer(who, watcher)
	view, made := v.composed[key]
	if !made {
		view = p.write(who, v.shares, watcher)
		v.composed[key] = view
	}
	return view
}

// compose writes the views that these publications of hers would make.
func (p *Presence) compose(who *presentity, publications []*publication) *views {
	published := make([]pidf.Share, 0, len(publications))
	for _, pub := range publications {
		published = append(published, pidf.Share{Document: pub.doc})
	}
	v := &views{composed: map[string][]byte{}, shares: pidf.Compose(who.aor, published...)}
	v.mirrored = v.shares
	if p.cfg.Mirror {
		if others := p.others(who, ""); len(others) > 0 {
			v.mirrored, _, _ = pidf.DevicePolicy(v.mirrored, others...)
		}
	}
	if !p.needs(who.aor).Personal {
		v.composed[""] = p.write(who, v.shares, "")
	}
	return v
}

// write writes the composed view for a watcher, of our own share and the others'.
func (p *Presence) write(who *presentity, own pidf.Document, watcher string) []byte {
	composed := own
	if others := p.others(who, watcher); len(others) > 0 {
		composed = pidf.Compose(who.aor, append([]pidf.Share{{Document: own}}, others...)...)
	}
	return pidf.Write(present(who.aor, composed), p.cfg.Dialect)
}

// own is our own share. Another server composes with it: whose everything is goes
// along.
func (p *Presence) own(v *views) []byte {
	if v.own == nil {
		v.own = pidf.Write(v.mirrored, p.cfg.Dialect)
	}
	return v.own
}

// size is that of the largest view there is. Our own share says less, or the same
// and whose it is: far from the limit it need not be written to know that it fits.
func (p *Presence) size(v *views) int {
	n := 0
	for _, view := range v.composed {
		n = max(n, len(view))
	}
	if n == 0 || n > p.cfg.View/8 {
		n = max(n, len(p.own(v)))
	}
	return n
}

// present is a composed view for a watcher. Someone of whom nothing is known is
// not there: one closed contact (RFC 3856 section 6.6.2), which is what one who
// is blocked politely sees as well.
func present(aor string, d pidf.Document) pidf.Document {
	if len(d.Tuples) == 0 && len(d.Persons) == 0 && len(d.Devices) == 0 && len(d.Notes) == 0 {
		d.Tuples = []pidf.Tuple{{ID: "offline", Basic: pidf.Closed, Contact: aor}}
	}
	return d.WithoutSources()
}

// absent is what a view of someone shows who is not there.
func (p *Presence) absent(aor, view string) []byte {
	d := pidf.Compose(aor)
	if view != Own {
		d = present(aor, d)
	}
	return pidf.Write(d, p.cfg.Dialect)
}

// change makes a change in memory and tells who sees it.
func (p *Presence) change(who *presentity, do func()) {
	do()
	p.tell(who)
	p.tidy(who)
}
