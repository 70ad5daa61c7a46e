package presence

import (
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
	"presfed/pidf"
)

// Publish answers a PUBLISH for a presentity served here, her publisher being
// known: the questions of RFC 3903 section 6 from top to bottom. It returns at
// once; the answer follows.
func (p *Presence) Publish(tx event.Transaction, presentity string) {
	if p.cfg.Lanes.Waiting(presentity) >= p.cfg.Waiting {
		event.Refuse(tx, &event.Refusal{Status: 503, Fields: []state.Field{{Name: "Retry-After", Value: "5"}}}, p.cfg.Log)
		return
	}
	p.cfg.Lanes.Do(presentity, func() {
		who := p.of(presentity)
		defer p.tidy(who)
		if err := p.publish(tx, who); err != nil {
			event.Refuse(tx, err, p.cfg.Log)
		}
	})
}

func (p *Presence) publish(tx event.Transaction, who *presentity) error {
	req := tx.Request()
	named, err := event.EventOf(req)
	if err != nil {
		return err
	}
	if named.Package != Name { // step 2
		return event.BadEvent(Name)
	}
	etag, err := precondition(req) // step 3
	if err != nil {
		return err
	}
	var old *publication
	if etag != "" {
		if old = who.byETag(etag); old == nil {
			return &event.Refusal{Status: 412}
		}
	}
	lasts, err := p.lasting(req) // step 4
	if err != nil {
		return err
	}
	now := p.cfg.Clock.Now()
	rec := state.Publication{ID: state.NewID(), Resource: who.aor, Package: Name}
	if old != nil {
		rec = old.rec
	}
	rec.ETag, rec.Expires = newETag(), now.Add(lasts)
	var doc pidf.Document
	switch body := req.Body(); { // step 5
	case len(body) > 0:
		if err := understood(req); err != nil {
			return err
		}
		rec.ContentType, rec.Body, rec.Stamped = ContentType, body, who.stamp(now)
		if doc, err = parse(rec, p.cfg.Document); err != nil {
			return broken(err)
		}
	case old == nil:
		return &event.Refusal{Status: 400, Reason: "A first PUBLISH needs a body"}
	default:
		doc = old.doc
	}
	changed, err := p.store(who, old, &publication{rec: rec, doc: doc}, lasts, len(req.Body()) > 0)
	if err != nil {
		return err
	}
	res := message.NewResponse(req, 200, "", sip.NewTag()) // step 6
	message.Add(res, "Expires", event.Seconds(lasts))
	message.Add(res, "SIP-ETag", rec.ETag)
	if err := tx.Respond(res); err != nil {
		p.cfg.Log.Info("response not sent", "call_id", message.CallID(req), "error", err)
	}
	if changed {
		p.tell(who)
	}
	return nil
}

// store commits one of the four operations of RFC 3903 section 4.1, then makes
// it so in memory: initial, refresh, modify, remove. The answer and the
// watchers, if their views may have changed, come after it.
func (p *Presence) store(who *presentity, old, next *publication, lasts time.Duration, body bool) (changed bool, err error) {
	if lasts == 0 {
		if old == nil { // nothing was there, nothing is kept
			return false, nil
		}
		if err := event.Commit(p.cfg.Store, func(tx *state.Tx) error { return tx.DeletePublication(old.rec.ID) }); err != nil {
			return false, err
		}
		who.remove(old)
		return true, nil
	}
	if old == nil && len(who.publications) >= p.cfg.Most {
		return false, &event.Refusal{Status: 403, Reason: "Too many publications", Fields: []state.Field{
			{Name: "Warning", Value: message.Warning(fmt.Sprintf("more than %d publications; remove one, or refresh it by its entity-tag", p.cfg.Most))}}}
	}
	var made *views
	if body {
		if made, err = p.fits(who, next); err != nil {
			return false, err
		}
	}
	err = event.Commit(p.cfg.Store, func(tx *state.Tx) error {
		if !body {
			return tx.RefreshPublication(next.rec.ID, next.rec.ETag, next.rec.Expires)
		}
		return tx.PutPublication(next.rec)
	})
	if err != nil {
		return false, err
	}
	was := who.views
	who.put(next)
	if !body { // it says what it said
		who.views = was
	}
	who.made = made
	p.arm(who, next)
	return body, nil
}

// fits makes the views with a publication taken in. One that no NOTIFY could
// carry is refused here, where somebody hears of it.
func (p *Presence) fits(who *presentity, next *publication) (*views, error) {
	made := p.compose(who, who.with(next))
	if size := p.size(made); size > p.cfg.View {
		return nil, &message.ParseError{Status: 413, Where: "body", What: fmt.Sprintf(
			"with the other publications the document of %s has %d bytes, at most %d; publish less, or remove a publication", who.aor, size, p.cfg.View)}
	}
	return made, nil
}

// precondition is the one entity-tag of SIP-If-Match, "" without the field.
func precondition(req *message.Request) (string, error) {
	if !message.Has(req, "SIP-If-Match") {
		return "", nil
	}
	tags := message.Values(req, "SIP-If-Match")
	if len(tags) != 1 || strings.ContainsAny(tags[0], " \t") {
		return "", &message.ParseError{Status: 400, Where: "SIP-If-Match", What: "want one entity-tag"}
	}
	return tags[0], nil
}

// lasting is how long the publication is to last; 0 removes it.
func (p *Presence) lasting(req *message.Request) (time.Duration, error) {
	if !message.Has(req, "Expires") {
		return p.cfg.Default, nil
	}
	seconds, ok := message.Seconds(req, "Expires")
	if !ok {
		return 0, &message.ParseError{Status: 400, Where: "Expires", What: "want whole seconds"}
	}
	d := time.Duration(seconds) * time.Second
	if d > 0 && d < p.cfg.Min {
		return 0, event.TooBrief(p.cfg.Min)
	}
	return min(d, p.cfg.Max), nil
}

// understood refuses bodies of another kind (step 5).
func understood(req *message.Request) error {
	main, params, err := mime.ParseMediaType(message.Get(req, "Content-Type"))
	charset := params["charset"]
	encoding := message.Get(req, "Content-Encoding")
	switch {
	case err != nil || main != ContentType || charset != "" && !strings.EqualFold(charset, "utf-8"):
		return &event.Refusal{Status: 415, Fields: []state.Field{{Name: "Accept", Value: ContentType}}}
	case encoding != "" && !strings.EqualFold(encoding, "identity"): // RFC 3261 section 8.2.3
		return &event.Refusal{Status: 415, Fields: []state.Field{{Name: "Accept-Encoding", Value: "identity"}}}
	}
	return nil
}

// broken is the answer to a document that cannot be read.
func broken(err error) error {
	status := 400
	if errors.Is(err, pidf.ErrTooLarge) {
		status = 413
	}
	return &message.ParseError{Status: status, Where: "body", What: err.Error()}
}

// newETag has never been used before (RFC 3903 section 8.3).
func newETag() string { return sip.NewTag() + sip.NewTag() }
