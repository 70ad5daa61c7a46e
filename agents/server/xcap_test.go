package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"presfed/agents/client"
	"presfed/agents/internal/presrules"
	"presfed/agents/server"
	"presfed/db"
)

// ruled is two servers at which rules are changed by HTTP.
func ruled(t *testing.T) *domain {
	return federatedWith(t, func(c *server.Config) {
		c.XCAP = server.Listen{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")}
	})
}

// rules sends a request for a user's rules, with a user's password.
func (b *domain) rules(method, at, of, by, body string, fields ...string) (status int, etag, answer string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.servers[at].XCAPRoot()+"/pres-rules/users/sip:"+of+"@example.com/index", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if by != "" {
		web.Transport = &digest.Transport{Username: by, Password: by + "'s secret", Transport: web.Transport}
	}
	res, err := web.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("ETag"), string(text)
}

// TestSheDecides: a user's decision, by her own credentials at her own server, acts
// before it is answered on, and stays over a restart; there is one policy, whoever
// wrote it.
func TestSheDecides(t *testing.T) {
	b := ruled(t)
	b.rule("alice", db.MatchDefault, "", db.Confirm)
	alice, _ := b.device("alice", "a")
	bob, heard := b.device("bob", "b")
	if _, err := bob.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		await(t, heard, want, func(e client.Event) bool { return e.Type == "presence" && e.State == want })
	}
	state("pending")
	for _, step := range []struct {
		handling db.Handling
		state    string
	}{{db.Allow, "active"}, {db.Confirm, "pending"}, {db.PoliteBlock, "active"}, {db.Block, "terminated"}} {
		if err := alice.Decide(timeout(t), b.servers["a"].XCAPRoot(), "bob", step.handling); err != nil {
			t.Fatal(err)
		}
		state(step.state)
	}
	rules, err := b.directory.Policy(t.Context(), "alice@example.com")
	if err != nil || len(rules) != 2 || rules[0] != (db.Rule{Presentity: "alice@example.com", Match: db.MatchUser, Watcher: "bob@example.com", Handling: db.Block}) || rules[1].Handling != db.Confirm {
		t.Errorf("the directory has %v, %v", rules, err)
	}
	b.stops["a"]()
	b.start("a")
	if _, err := bob.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour}); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("blocked, and after a restart %v", err)
	}
	// what the operator says next counts next, and she sees it
	b.rule("alice", db.MatchUser, "bob@example.com", db.Allow)
	if status, _, doc := b.rules("GET", "a", "alice", "alice", ""); status != 200 || !strings.Contains(doc, `id="sip:bob@example.com"`) || strings.Count(doc, "<sub-handling>allow<") != 1 {
		t.Errorf("%d\n%s", status, doc)
	}
	if err := alice.Decide(timeout(t), b.servers["b"].XCAPRoot(), "bob", db.Allow); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("at a server that is not hers: %v", err)
	}
	var refused *client.RulesError
	if err := alice.Decide(timeout(t), b.servers["b"].XCAPRoot(), "bob", db.Allow); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("%v", err)
	}
}

// crowded allows so many watchers in one rule.
func crowded(n int) string {
	var ones strings.Builder
	for i := range n {
		fmt.Fprintf(&ones, `<one id="sip:w%d@example.com"/>`, i)
	}
	return `<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a"><conditions><identity>` + ones.String() + `</identity></conditions></rule></ruleset>`
}

// TestRulesAreBounded: who only connects for rules leaves the server to those who
// have something to say.
func TestRulesAreBounded(t *testing.T) {
	b := ruled(t)
	files := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no way to count open files: ", err)
		}
		return len(fds)
	}
	const many = 400
	before := files()
	for range many {
		conn, err := net.Dial("tcp", b.servers["a"].XCAPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for end := time.Now().Add(20 * time.Second); files()-before-many < 256; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server has taken %d", files()-before-many)
		}
	}
	alice := b.phone("alice", "a", "TCP")
	final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
	if opened := files() - before - many; opened > 300 {
		t.Errorf("%d connections cost the server %d files", many, opened)
	}
}

// TestRulesByHTTP: who may, on what condition, and what is no rule.
func TestRulesByHTTP(t *testing.T) {
	b := ruled(t)
	status, etag, doc := b.rules("GET", "a", "alice", "alice", "")
	if status != 200 || etag == "" || !strings.Contains(doc, "<sub-handling>allow<") {
		t.Fatalf("%d %s\n%s", status, etag, doc)
	}
	typed := []string{"Content-Type", presrules.ContentType}
	bobs := string(presrules.Bytes([]db.Rule{{Match: db.MatchUser, Watcher: "bob@example.com", Handling: db.Block}}, db.Confirm))
	for _, tt := range []struct {
		name, method, of, by, body string
		fields                     []string
		status                     int
		says                       string
	}{
		{"no credentials", "GET", "alice", "", "", nil, 401, ""},
		{"no credentials, no such user", "GET", "nobody", "", "", nil, 401, ""},
		{"another user", "GET", "alice", "bob", "", nil, 403, ""},
		{"another user, no such one", "GET", "nobody", "bob", "", nil, 403, ""},
		{"another user writes", "PUT", "alice", "bob", bobs, typed, 403, ""},
		{"served elsewhere", "GET", "bob", "bob", "", nil, 404, ""},
		{"known already", "GET", "alice", "alice", "", []string{"If-None-Match", etag}, 304, ""},
		{"another method", "POST", "alice", "alice", bobs, typed, 405, ""},
		{"another type", "PUT", "alice", "alice", bobs, []string{"Content-Type", "text/plain"}, 415, ""},
		{"too large", "PUT", "alice", "alice", strings.Repeat(" ", 200<<10), typed, 413, ""},
		{"too many watchers", "PUT", "alice", "alice", crowded(1500), typed, 409, "<constraint-failure"},
		{"no XML", "PUT", "alice", "alice", "<ruleset", typed, 409, "<not-well-formed"},
		{"not by the schema", "PUT", "alice", "alice", "<ruleset/>", typed, 409, "<schema-validation-error"},
		{"what cannot be done", "PUT", "alice", "alice", strings.Replace(bobs, "<cr:identity>", `<cr:sphere value="work"/><cr:identity>`, 1), typed, 409, "<constraint-failure"},
		{"changed meanwhile", "PUT", "alice", "alice", bobs, append([]string{"If-Match", `"other"`}, typed...), 412, ""},
		{"there is one", "PUT", "alice", "alice", bobs, append([]string{"If-None-Match", "*"}, typed...), 412, ""},
		{"as it is", "PUT", "alice", "alice", doc, append([]string{"If-Match", etag}, typed...), 200, ""},
		{"hers", "PUT", "alice", "alice", bobs, append([]string{"If-Match", etag}, typed...), 200, ""},
		{"no longer what it was", "DELETE", "alice", "alice", "", []string{"If-Match", etag}, 412, ""},
		{"removed", "DELETE", "alice", "alice", "", nil, 200, ""},
	} {
		if status, _, answer := b.rules(tt.method, "a", tt.of, tt.by, tt.body, tt.fields...); status != tt.status || !strings.Contains(answer, tt.says) {
			t.Errorf("%s: %d, want %d\n%s", tt.name, status, tt.status, answer)
		}
	}
	if rules, err := b.directory.Policy(t.Context(), "alice@example.com"); err != nil || len(rules) != 0 {
		t.Errorf("after all: %v, %v", rules, err)
	}
}
