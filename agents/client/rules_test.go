package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/presrules"
	"presfed/db"
)

// A document that somebody else has changed meanwhile is read again, changed and
// written on the condition that it is the one that was read (RFC 4825 section 7.11).
func TestRulesThatSomebodyElseChanges(t *testing.T) {
	var asked []string
	doc, etag := []byte(nil), ""
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("If-Match")+r.Header.Get("If-None-Match"))
		switch {
		case r.URL.Path != "/root/pres-rules/users/sip:alice@example.com/index":
			t.Errorf("asked for %s", r.URL.Path)
		case r.Method == http.MethodGet && doc == nil:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodGet:
			w.Header().Set("ETag", etag)
			_, _ = w.Write(doc)
		case doc == nil: // another device was quicker
			doc, etag = presrules.Bytes([]db.Rule{{Presentity: "alice@example.com", Match: db.MatchUser, Watcher: "bob@example.com", Handling: db.Block}}, db.Confirm), `"one"`
			w.WriteHeader(http.StatusPreconditionFailed)
		default:
			doc, _ = io.ReadAll(r.Body)
		}
	}))
	defer web.Close()
	alice := newDevice(t, "alice", "tcp:127.0.0.1:9", nil)
	if err := alice.Decide(timeout(t), web.URL+"/root/", "carol", db.Allow); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, ", "); got != `GET , PUT *, GET , PUT "one"` {
		t.Errorf("asked %s", got)
	}
	rules, err := presrules.Parse(doc, "alice@example.com", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	handling := map[string]db.Handling{}
	for _, r := range rules {
		handling[r.Watcher] = r.Handling
	}
	if handling["bob@example.com"] != db.Block || handling["carol@example.com"] != db.Allow {
		t.Errorf("%v", rules)
	}
}

// What a server says of a refusal is read as the XML that it is.
func TestRulesThatAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		`<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><constraint-failure phrase="no &#34;&lt;x&gt;&#34; here"/></xcap-error>`: `answered 409 Conflict: no "<x>" here`,
		`<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><not-well-formed phrase='in quotes of the other sort'/></xcap-error>`:    `answered 409 Conflict: in quotes of the other sort`,
		`phrase="none"`: `answered 409 Conflict`,
		``:              `answered 409 Conflict`,
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, body)
		}))
		alice := newDevice(t, "alice", "tcp:127.0.0.1:9", nil)
		err := alice.Decide(timeout(t), web.URL, "bob", db.Allow)
		var refused *client.RulesError
		if !errors.As(err, &refused) || refused.Status != 409 || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
		web.Close()
	}
}
