package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"

	"presfed/agents/internal/message"
	"presfed/agents/internal/presrules"
	"presfed/agents/internal/resolve"
	"presfed/db"
)

// RulesError is an answer of a user's XCAP server other than 2xx.
type RulesError struct {
	Method string
	Status int
	What   string // what it says of it; may be empty
}

func (e *RulesError) Error() string {
	text := fmt.Sprintf("%s of the rules was answered %d %s", e.Method, e.Status, http.StatusText(e.Status))
	if e.What != "" {
		text += ": " + e.What
	}
	return text
}

// maxRules bounds the document that a server may answer with.
const maxRules = 128 << 10

// Decide says what a watcher of the user's gets, "@domain" being everybody of a
// domain and "default" everybody else: her document of rules (RFC 5025)
// is read below the XCAP root, changed, and written back (RFC 4825), anew where
// somebody else has changed it meanwhile.
func (c *Client) Decide(ctx context.Context, root, watcher string, handling db.Handling) error {
	rule, err := c.rule(watcher)
	if err != nil {
		return err
	}
	rule.Handling = handling
	if err := CheckXCAPRoot(root); err != nil {
		return err
	}
	at := strings.TrimSuffix(root, "/") + "/pres-rules/users/" + url.PathEscape(c.AOR()) + "/index"
	transport := &http.Transport{TLSClientConfig: c.cfg.TLS, DisableKeepAlives: true, ResponseHeaderTimeout: 20 * time.Second}
	web := &http.Client{Transport: &digest.Transport{
		Username: cmp.Or(c.cfg.Username, message.Unescape(c.aor.User)), Password: c.cfg.Password, Transport: transport,
	}}
	for tries := 0; ; tries++ {
		err := c.decideOnce(ctx, web, at, rule)
		var refused *RulesError
		if !errors.As(err, &refused) || refused.Status != http.StatusPreconditionFailed || tries == 4 {
			return err
		}
	}
}

// CheckXCAPRoot says what is wrong with the URL below which a server keeps documents.
func CheckXCAPRoot(root string) error {
	at, err := url.Parse(root)
	if err == nil && at.Port() != "" {
		_, err = strconv.ParseUint(at.Port(), 10, 16)
	}
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" || at.RawQuery != "" || at.Fragment != "" {
		return fmt.Errorf("the XCAP root %q is no http or https URL", root)
	}
	return nil
}

// rule is one for a watcher as people write one: a user, "@domain" for everybody of
// a domain, "default" for everybody else.
func (c *Client) rule(watcher string) (db.Rule, error) {
	rule := db.Rule{Presentity: strings.TrimPrefix(c.AOR(), "sip:")}
	rule.Match, rule.Watcher = db.ParseWatcher(watcher)
	if rule.Match != db.MatchUser {
		rule.Watcher = strings.ToLower(rule.Watcher)
		return rule, nil
	}
	uri, err := resolve.User(watcher, c.aor.Host)
	if err != nil {
		return rule, err
	}
	rule.Watcher, err = db.ParseAOR(strings.TrimPrefix(message.AOR(uri), "sip:"), c.aor.Host)
	return rule, err
}

func (c *Client) decideOnce(ctx context.Context, web *http.Client, at string, next db.Rule) error {
	etag, doc, err := exchange(ctx, web, http.MethodGet, at, "", nil)
	var refused *RulesError
	var rules []db.Rule
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // the first one
	case err != nil:
		return err
	default:
		if rules, err = presrules.Parse(doc, next.Presentity, c.aor.Host); err != nil {
			return fmt.Errorf("the rules at the server say more than can be changed here: %w", err)
		}
	}
	rules = slices.DeleteFunc(rules, func(r db.Rule) bool { return r.Match == next.Match && r.Watcher == next.Watcher })
	rules = append([]db.Rule{next}, rules...)
	_, _, err = exchange(ctx, web, http.MethodPut, at, etag, presrules.Bytes(rules, db.Confirm))
	return err
}

// exchange sends one request; etag is of the document that it is about, "" where
// there must be none for a PUT.
func exchange(ctx context.Context, web *http.Client, method, at, etag string, doc []byte) (string, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(doc))
	if err != nil {
		return "", nil, err
	}
	switch {
	case method != http.MethodPut:
	case etag == "":
		req.Header.Set("If-None-Match", "*")
	default:
		req.Header.Set("If-Match", etag)
	}
	if doc != nil {
		req.Header.Set("Content-Type", presrules.ContentType)
	}
	res, err := web.Do(req)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxRules+1))
	switch {
	case err != nil:
		return "", nil, fmt.Errorf("%w: %w", ErrTransport, err)
	case res.StatusCode == http.StatusUnauthorized:
		return "", nil, fmt.Errorf("%w: %s of the rules", ErrAuthentication, method)
	case res.StatusCode/100 != 2:
		return "", nil, &RulesError{Method: method, Status: res.StatusCode, What: phrase(body)}
	case len(body) > maxRules:
		return "", nil, fmt.Errorf("the rules have more than %d bytes", maxRules)
	}
	return res.Header.Get("ETag"), body, nil
}

// phrase is what an xcap-error says for people (RFC 4825 section 11); empty: nothing.
func phrase(body []byte) string {
	var e struct {
		Kind struct {
			Phrase string `xml:"phrase,attr"`
		} `xml:",any"`
	}
	_ = xml.Unmarshal(body, &e) // what is none says nothing
	return e.Kind.Phrase
}
