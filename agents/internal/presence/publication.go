package presence

import (
	"slices"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/db/state"
	"presfed/pidf"
)

// publication is one piece of event state with its document, parsed once.
type publication struct {
	rec    state.Publication
	doc    pidf.Document
	expiry clock.Timer
}

func (pub *publication) stop() {
	if pub.expiry != nil {
		pub.expiry.Stop()
	}
}

// presentity is one user's state here; it belongs to her lane.
type presentity struct {
	aor          string
	publications []*publication // in order of age
	shares       map[Origin]*Share
	others       *Others                      // whose shares are needed; nil: not asked yet
	watching     map[*event.Subscription]bool // the composed view, where shares are needed for it
	asked        map[string]bool              // for which watchers shares were said to be needed
	views        *views                       // nil: to be made
	last         *views                       // the latest made; nil: what watchers know is not known
	made         *views                       // to be taken when views are made: they were, before a commit
}

// byETag finds a publication by the entity-tag that names it now.
func (who *presentity) byETag(etag string) *publication {
	i := slices.IndexFunc(who.publications, func(pub *publication) bool { return pub.rec.ETag == etag })
	if i < 0 {
		return nil
	}
	return who.publications[i]
}

// stamp is when a body came in: now, but later than those before it, also where the
// clock was set back meanwhile. What is the newest decides in a document.
func (who *presentity) stamp(now time.Time) time.Time {
	for _, pub := range who.publications {
		if last := pub.rec.Stamped.Round(0); !now.Round(0).After(last) {
			now = last.Add(time.Nanosecond)
		}
	}
	return now
}

// put adds a publication, or replaces the one with its ID.
func (who *presentity) put(pub *publication) {
	who.stale()
	for _, old := range who.publications {
		if old.rec.ID == pub.rec.ID {
			old.stop()
		}
	}
	who.publications = who.with(pub)
}

// with are her publications with one added, or in the place of the one with its
// ID.
func (who *presentity) with(pub *publication) []*publication {
	out := slices.Clone(who.publications)
	if i := slices.IndexFunc(out, func(o *publication) bool { return o.rec.ID == pub.rec.ID }); i >= 0 {
		out[i] = pub
		return out
	}
	return append(out, pub)
}

// stale says that the views have to be made anew.
func (who *presentity) stale() { who.views, who.made = nil, nil }

func (who *presentity) remove(pub *publication) {
	who.stale()
	pub.stop()
	who.publications = slices.DeleteFunc(who.publications, func(o *publication) bool { return o == pub })
}

// parse reads a body and marks all in it as that publication's.
func parse(rec state.Publication, limits pidf.Limits) (pidf.Document, error) {
	doc, err := pidf.Parse(rec.Body, limits)
	if err != nil {
		return doc, err
	}
	return pidf.Stamp(doc, pidf.Source{Publication: rec.ID, Received: rec.Stamped}), nil
}

// arm has a publication removed when its time is up.
func (p *Presence) arm(who *presentity, pub *publication) {
	left := pub.rec.Expires.Sub(p.cfg.Clock.Now())
	pub.expiry = p.cfg.Clock.AfterFunc(max(left, 0), func() {
		p.cfg.Lanes.Do(who.aor, func() { p.expire(who, pub) })
	})
}

// expire removes a publication that was not refreshed (RFC 3903 section 6). Its
// row goes without anyone waiting: its time says by itself that it is over.
func (p *Presence) expire(who *presentity, pub *publication) {
	if !slices.Contains(who.publications, pub) {
		return // removed or replaced meanwhile
	}
	if pub.rec.Expires.After(p.cfg.Clock.Now()) { // refreshed meanwhile
		pub.stop()
		p.arm(who, pub)
		return
	}
	p.forget(pub.rec.ID)
	p.change(who, func() { who.remove(pub) })
}

func (p *Presence) forget(id string) {
	if p.cfg.Store == nil {
		return
	}
	p.cfg.Store.Commit(func(tx *state.Tx) error { return tx.DeletePublication(id) }, func(err error) {
		if err != nil {
			p.cfg.Log.Error("an expired publication stays in the state", "publication", id, "error", err)
		}
	})
}

// Restore takes in what was published before a restart; what has expired since
// goes. To be called before anything else.
func (p *Presence) Restore(recs []state.Publication) {
	now := p.cfg.Clock.Now()
	for _, rec := range recs {
		if rec.Package != Name {
			continue
		}
		doc, err := parse(rec, p.cfg.Document)
		if err != nil {
			p.cfg.Log.Error("a publication in the state cannot be read", "presentity", rec.Resource, "publication", rec.ID, "error", err)
		}
		if err != nil || !rec.Expires.After(now) {
			p.forget(rec.ID)
			continue
		}
		who, pub := p.of(rec.Resource), &publication{rec: rec, doc: doc}
		who.put(pub)
		p.arm(who, pub)
	}
}

// Publication is what one may know of a publication.
type Publication struct {
	ETag    string
	Stamped time.Time // when its body came
	Expires time.Time
	Body    []byte
}

// Publications tells what a presentity has published; done is called in her lane.
func (p *Presence) Publications(aor string, done func([]Publication)) {
	p.cfg.Lanes.Do(aor, func() {
		var out []Publication
		if who := p.known(aor); who != nil {
			for _, pub := range who.publications {
				out = append(out, Publication{ETag: pub.rec.ETag, Stamped: pub.rec.Stamped, Expires: pub.rec.Expires, Body: pub.rec.Body})
			}
		}
		done(out)
	})
}

// Holds says whether a presentity has a publication here that an entity-tag names;
// done is called in her lane, or at once where there is no tag.
func (p *Presence) Holds(aor, etag string, done func(bool)) {
	if etag == "" {
		done(false)
		return
	}
	p.cfg.Lanes.Do(aor, func() {
		who := p.known(aor)
		done(who != nil && who.byETag(etag) != nil)
	})
}
