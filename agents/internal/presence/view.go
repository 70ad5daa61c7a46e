package presence

import "presfed/pidf"

// views are a presentity's two documents as her watchers get them, written once
// for all of them.
type views struct{ own, composed []byte }

func (v *views) of(name string) []byte {
	if name == Own {
		return v.own
	}
	return v.composed
}

// look makes the views, unless they stand.
func (p *Presence) look(who *presentity) *views {
	if who.views == nil {
		if who.views, who.made = who.made, nil; who.views == nil {
			who.views = p.compose(who, who.publications)
		}
		who.last = who.views
	}
	return who.views
}

// compose writes the views that these publications of hers would make.
func (p *Presence) compose(who *presentity, publications []*publication) *views {
	published := make([]pidf.Share, 0, len(publications))
	for _, pub := range publications {
		published = append(published, pidf.Share{Document: pub.doc})
	}
	own := pidf.Compose(who.aor, published...)
	others := who.others()
	composed := own
	if len(others) > 0 {
		composed = pidf.Compose(who.aor, append([]pidf.Share{{Document: own}}, others...)...)
	}
	if p.cfg.Mirror && len(others) > 0 {
		own, _, _ = pidf.DevicePolicy(own, others...)
	}
	return &views{
		// Another server composes with it: whose everything is goes along.
		own:      pidf.Write(own, p.cfg.Dialect),
		composed: pidf.Write(present(who.aor, composed), p.cfg.Dialect),
	}
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
