package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"presfed/agents/internal/presrules"
	"presfed/db"
)

// readRules answers with the document.
func (s *Server) readRules(w http.ResponseWriter, r *http.Request, user string) error {
	rules, err := s.directory.Policy(r.Context(), user)
	if err != nil {
		return err
	}
	domain, err := s.directory.Domain(r.Context())
	if err != nil {
		return err
	}
	doc := presrules.Bytes(rules, domain.Default)
	etag := etagOf(doc)
	w.Header().Set("ETag", etag)
	if means(r.Header.Get("If-None-Match"), etag) {
		return httpError(http.StatusNotModified)
	}
	w.Header().Set("Content-Type", presrules.ContentType)
	_, _ = w.Write(doc)
	return nil
}

// writeRules has a document take the place of the rules that there are; none
// removes them. It is answered once it is written, and acted on here; other
// servers hear of it from the directory.
func (s *Server) writeRules(w http.ResponseWriter, r *http.Request, user string) error {
	ctx := r.Context()
	var next []db.Rule
	if r.Method == http.MethodPut {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind != presrules.ContentType {
			return httpError(http.StatusUnsupportedMediaType)
		}
		doc, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(presrules.Limits.Bytes)))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return httpError(http.StatusRequestEntityTooLarge)
		case err != nil:
			return httpError(http.StatusBadRequest)
		}
		if next, err = presrules.Parse(doc, user, s.domain.Name); err != nil {
			return err
		}
		if n := len(presrules.Bytes(next, db.Confirm)); n > presrules.Limits.Bytes { // nobody could write it back
			return &presrules.Error{Kind: presrules.Constraint, What: fmt.Sprintf("too many watchers: as it is kept it has %d bytes, and %d are the most", n, presrules.Limits.Bytes)}
		}
	}
	var etag string
	if err := s.directory.Update(ctx, func(tx *db.Tx) error {
		before, err := tx.Policy(ctx, user)
		if err != nil {
			return err
		}
		domain, err := tx.Domain(ctx)
		if err != nil {
			return err
		}
		if !matches(r, etagOf(presrules.Bytes(before, domain.Default))) {
			return httpError(http.StatusPreconditionFailed)
		}
		next = withoutDefault(next, before, domain.Default)
		etag = etagOf(presrules.Bytes(next, domain.Default))
		return setRules(tx, before, next)
	}); err != nil {
		return err
	}
	s.log.Info("rules changed by their user", "user", user, "rules", len(next))
	if err := s.locate.Refresh(ctx); err != nil { // what is written holds; it is found as any other change
		s.log.Warn("rules were changed, and the directory cannot be read again", "user", user, "error", err)
	}
	w.Header().Set("ETag", etag)
	return nil
}

// withoutDefault leaves a rule out that says what the domain does, unless she had
// one of her own: a document that was read and written back changes nothing.
func withoutDefault(next, before []db.Rule, fallback db.Handling) []db.Rule {
	if slices.ContainsFunc(before, func(r db.Rule) bool { return r.Match == db.MatchDefault }) {
		return next
	}
	return slices.DeleteFunc(next, func(r db.Rule) bool { return r.Match == db.MatchDefault && r.Handling == fallback })
}

func setRules(tx *db.Tx, before, next []db.Rule) error {
	is := func(a db.Rule) func(db.Rule) bool {
		return func(b db.Rule) bool { return a.Match == b.Match && a.Watcher == b.Watcher }
	}
	for _, r := range before {
		if !slices.ContainsFunc(next, is(r)) {
			if err := tx.RemoveRule(r); err != nil {
				return err
			}
		}
	}
	for _, r := range next {
		if slices.Contains(before, r) {
			continue
		}
		if err := tx.SetRule(r); err != nil {
			return err
		}
	}
	return nil
}

// matches says that the document is still the one that the request is about.
func matches(r *http.Request, etag string) bool {
	match := r.Header.Get("If-Match")
	return (match == "" || means(match, etag)) && !means(r.Header.Get("If-None-Match"), etag)
}

// means says that a condition is about the document with this tag.
func means(condition, etag string) bool { return condition == "*" || strings.Contains(condition, etag) }

func etagOf(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}
