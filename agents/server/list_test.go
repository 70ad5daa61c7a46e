package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// user adds a user at a server, whom everybody may watch but for what her rules
// say; her phone is one that the server knows.
func (b *domain) user(name, at string, rules ...db.Rule) *phone {
	b.t.Helper()
	aor := name + "@example.com"
	if err := b.directory.Update(b.t.Context(), func(tx *db.Tx) error {
		err := errors.Join(
			tx.AddUser(db.User{AOR: aor, HA1: db.HA1s(aor, "example.com", name+"'s secret")}),
			tx.Assign(aor, routing.Place{Model: routing.Partitioned, Servers: []string{"server-" + at}}),
			tx.SetRule(db.Rule{Presentity: aor, Match: db.MatchDefault, Handling: db.Allow}),
		)
		for _, r := range rules {
			r.Presentity = aor
			err = errors.Join(err, tx.SetRule(r))
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	p := b.phone(name, at, "TCP")
	for {
		res := next(b.t, p.ask(p.request("SUBSCRIBE", name, "Event", "presence", "Expires", "0")))
		if res.StatusCode == 200 { // a server may lag behind the directory
			p.take("NOTIFY", 200)
			return p
		}
	}
}

func (b *domain) buddies(of string, names ...string) {
	b.t.Helper()
	if err := b.directory.SetBuddies(b.t.Context(), of+"@example.com", names); err != nil {
		b.t.Fatal(err)
	}
}

// publishes has a user's device publish an open tuple with a note.
func (p *phone) publishes(note string) {
	p.t.Helper()
	body := fmt.Sprintf(`<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com"><tuple id="t"><status><basic>open</basic></status><note>%s</note></tuple></presence>`, p.user, note)
	req := p.request("PUBLISH", p.user, "Event", "presence", "Expires", "3600")
	if p.etag != "" {
		message.Add(req, "SIP-If-Match", p.etag)
	}
	message.SetBody(req, "application/pidf+xml", []byte(body))
	p.etag = message.Get(final(p.t, p.ask(req), 200), "SIP-ETag")
}

// list is a SUBSCRIBE for a list of the phone's user.
func (p *phone) list(name string, fields ...string) *message.Request {
	req := p.request("SUBSCRIBE", p.user, append([]string{"Event", "presence", "Expires", "3600", "Accept",
		"application/pidf+xml, application/rlmi+xml, multipart/related"}, fields...)...)
	req.Recipient.UriParams.Add("list", name)
	return req
}

var (
	listRE     = regexp.MustCompile(`<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="([^"]*)" version="(\d+)" fullState="(true|false)">`)
	resourceRE = regexp.MustCompile(`(?s)<resource uri="sip:([^"@]*)@([^"]*)">(.*?)</resource>`)
	instanceRE = regexp.MustCompile(`<instance id="[^"]+" state="([^"]*)"(?: reason="([^"]*)")?(?: cid="([^"]*)")?/>`)
	noteRE     = regexp.MustCompile(`<(?:\w+:)?note[^>]*>([^<]*)<`)
	basicRE    = regexp.MustCompile(`<(?:\w+:)?basic>([^<]*)<`)
)

// toldOf reads what a NOTIFY tells of a list, by other means than the servers':
// version, full or part, and for each resource its state and note.
func toldOf(t *testing.T, req *message.Request) string {
	t.Helper()
	if got := message.Get(req, "Require"); got != "eventlist" {
		t.Errorf("Require: %s", got)
	}
	kind, params, err := mime.ParseMediaType(message.Get(req, "Content-Type"))
	if err != nil || kind != "multipart/related" || params["type"] != "application/rlmi+xml" {
		t.Fatalf("Content-Type: %s %v %v", kind, params, err)
	}
	meta, states := "", map[string]string{}
	for r := multipart.NewReader(bytes.NewReader(req.Body()), params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch id := part.Header.Get("Content-ID"); {
		case meta == "" && id == params["start"] && kind == "application/rlmi+xml":
			meta = string(text)
		case kind == "application/pidf+xml" && states["cid:"+strings.Trim(id, "<>")] == "":
			states[strings.Trim(id, "<>")] = string(text)
		default:
			t.Errorf("a part %v", part.Header)
		}
	}
	head := listRE.FindStringSubmatch(meta)
	owner, err := message.To(req)
	if err != nil || head == nil || head[1] != message.AOR(owner.URI)+";list=buddies" {
		t.Fatalf("no list in\n%s", meta)
	}
	out := head[2] + map[string]string{"true": " full:", "false": " part:"}[head[3]]
	used := 0
	for _, row := range resourceRE.FindAllStringSubmatch(meta, -1) {
		out += " " + row[1]
		for _, i := range instanceRE.FindAllStringSubmatch(row[3], -1) {
			out += "=" + i[1]
			if i[2] != "" {
				out += "/" + i[2]
			}
			if i[3] == "" {
				continue
			}
			used++
			doc := states[i[3]]
			if !strings.Contains(doc, `entity="sip:`+row[1]+"@"+row[2]+`"`) {
				t.Errorf("%s has the state\n%s", row[1], doc)
			}
			if note := noteRE.FindStringSubmatch(doc); note != nil {
				out += "(" + note[1] + ")"
			} else if basic := basicRE.FindStringSubmatch(doc); basic != nil {
				out += "(" + basic[1] + ")"
			}
		}
	}
	if used != len(states) {
		t.Errorf("%d states, %d referred to", len(states), used)
	}
	return out
}

// told answers the next NOTIFY of a list and says what it tells.
func (p *phone) told() string {
	p.t.Helper()
	said := toldOf(p.t, p.take("NOTIFY", 200))
	p.t.Log(said)
	return said
}

func (p *phone) hears(want string) {
	p.t.Helper()
	if got := p.told(); got != want {
		p.t.Fatalf("told %s\nwant %s", got, want)
	}
}

func lists(t *testing.T) (b *domain, alice, bob, carol *phone) {
	t.Helper()
	b = federatedWith(t, func(c *server.Config) {
		c.NoAuth = true
		c.ShareGrace = 100 * time.Millisecond
		c.FirstNotify = 10 * time.Second // so that it is what it waits for that ends it
	})
	carol = b.user("carol", "a")
	b.user("dave", "b", db.Rule{Match: db.MatchUser, Watcher: "alice@example.com", Handling: db.Block})
	b.buddies("alice", "bob", "carol", "dave", "erin@example.org")
	alice, bob = b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.publishes("of bob")
	return b, alice, bob, carol
}

func TestABuddyListOnTheWire(t *testing.T) {
	b, alice, bob, carol := lists(t)
	if res := final(t, alice.ask(alice.list("buddies")), 421); message.Get(res, "Require") != "eventlist" {
		t.Errorf("Require: %s", message.Get(res, "Require"))
	}
	stranger := alice.list("buddies", "Supported", "eventlist")
	message.Set(stranger, "From", "<sip:bob@example.com>;tag=1")
	final(t, alice.ask(stranger), 403)
	final(t, alice.ask(alice.list("enemies", "Supported", "eventlist")), 404)
	final(t, alice.ask(alice.list("buddies", "Supported", "eventlist", "Require", "eventlist, other")), 420)
	final(t, bob.ask(bob.list("buddies", "Supported", "eventlist")), 200) // hers is empty
	if req := bob.take("NOTIFY", 200); !bytes.Contains(req.Body(), []byte(`version="0" fullState="true">`+"\n</list>")) {
		t.Errorf("an empty list:\n%s", req.Body())
	}

	first := alice.list("buddies", "Supported", "eventlist")
	res := final(t, alice.ask(first), 200)
	if message.Get(res, "Require") != "eventlist" {
		t.Errorf("Require: %s", message.Get(res, "Require"))
	}
	alice.hears("0 full: bob=active(of bob) carol=active(closed) dave=terminated/rejected erin=terminated/noresource")
	bob.publishes("of bob, again")
	alice.hears("1 part: bob=active(of bob, again)")
	carol.publishes("of carol")
	alice.hears("2 part: carol=active(of carol)")
	b.rule("dave", db.MatchUser, "alice@example.com", db.Confirm)
	alice.hears("3 part: dave=pending")
	b.rule("dave", db.MatchUser, "alice@example.com", db.Allow)
	alice.hears("4 part: dave=active(closed)")
	b.rule("carol", db.MatchUser, "alice@example.com", db.Block)
	alice.hears("5 part: carol=terminated/rejected")
	b.rule("carol", db.MatchUser, "alice@example.com", db.PoliteBlock)
	alice.hears("6 part: carol=active(closed)")
	b.buddies("alice", "bob", "dave", "carol", "erin@example.org", "alice")
	alice.hears("7 part: alice=active(closed)")
	b.buddies("alice", "bob", "alice")
	alice.hears("8 full: bob=active(of bob, again) alice=active(closed)")

	refresh := alice.list("buddies", "Supported", "eventlist")
	for _, name := range []string{"From", "Call-ID"} {
		message.Set(refresh, name, message.Get(first, name))
	}
	message.Set(refresh, "To", message.Get(res, "To"))
	if res := final(t, alice.ask(refresh), 200); message.Get(res, "Require") != "eventlist" {
		t.Errorf("Require: %s", message.Get(res, "Require"))
	}
	alice.hears("9 full: bob=active(of bob, again) alice=active(closed)")
}

// After a restart of her own server, with nothing of what it was made of left,
// the list is there again, and so is its watcher's subscription.
func TestABuddyListOverRestarts(t *testing.T) {
	b, alice, bob, _ := lists(t)
	b.buddies("alice", "bob", "dave")
	b.rule("dave", db.MatchUser, "alice@example.com", db.Confirm)
	final(t, alice.ask(alice.list("buddies", "Supported", "eventlist")), 200)
	for said := ""; !strings.Contains(said, "dave=pending"); {
		said = alice.told()
	}
	b.rule("dave", db.MatchUser, "alice@example.com", db.Allow)
	for said := ""; !strings.Contains(said, "dave=active(closed)"); {
		said = alice.told()
	}
	b.stops["a"]()
	bob.publishes("meanwhile")
	b.start("a")
	alice.hears("100 full: bob=active(meanwhile) dave=active(closed)")

	b.stops["b"]()
	if got, want := alice.told(), "101 part: bob=terminated/probation dave=terminated/probation"; got != want {
		t.Fatalf("told %s\nwant %s", got, want)
	}
	b.start("b")
	said := alice.told()
	if !strings.Contains(said, "dave=active") || !strings.Contains(said, "bob=active") {
		said += alice.told()
	}
	if !strings.Contains(said, "bob=active(meanwhile)") || !strings.Contains(said, "dave=active(closed)") {
		t.Errorf("back, and told %s", said)
	}
	etag := bob.etag
	bob = b.phone("bob", "b", "TCP") // the old connection went with the server
	bob.etag = etag
	bob.publishes("after all")
	for said = ""; !strings.Contains(said, "after all"); {
		said = alice.told()
	}
}

// A buddy who moves is found where she is served now; an owner who moves has to
// ask at her new server.
func TestAMovedBuddyAndOwner(t *testing.T) {
	b, alice, _, carol := lists(t)
	b.buddies("alice", "carol")
	carol.publishes("here")
	final(t, alice.ask(alice.list("buddies", "Supported", "eventlist")), 200)
	alice.hears("0 full: carol=active(here)")
	move := func(user, to string) {
		if err := b.directory.Assign(t.Context(), user+"@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-" + to}}); err != nil {
			t.Fatal(err)
		}
	}
	move("carol", "b")
	for said := ""; !strings.Contains(said, "carol=active(closed)"); {
		said = alice.told()
	}
	there := b.phone("carol", "b", "TCP")
	there.publishes("there")
	for said := ""; !strings.Contains(said, "carol=active(there)"); {
		said = alice.told()
	}
	move("alice", "b")
	for {
		req := alice.take("NOTIFY", 200)
		if got := message.Get(req, "Subscription-State"); got == "terminated;reason=deactivated" {
			break
		}
	}
	final(t, alice.ask(alice.list("buddies", "Supported", "eventlist")), 404)
	anew := b.phone("alice", "b", "TCP")
	for res := next(t, anew.ask(anew.list("buddies", "Supported", "eventlist"))); res.StatusCode != 200; { // it may lag behind
		res = next(t, anew.ask(anew.list("buddies", "Supported", "eventlist")))
	}
	anew.hears("0 full: carol=active(there)")
}

// A buddy whom several servers serve is shown on a list as to whoever subscribes to
// her, and one whom several servers serve has her list at each of them.
func TestAUnionOnABuddyList(t *testing.T) {
	for name, place := range map[string]routing.Place{
		"peers": peers("server-a", "server-b"), "root here": hierarchy("server-a", "server-a", "server-b"), "root elsewhere": hierarchy("server-b", "server-a", "server-b"),
		"all of it elsewhere": hierarchy("server-c", "server-b", "server-c"),
	} {
		t.Run(name, func(t *testing.T) {
			b := unionOf(t, place)
			b.buddies("ann", "alice")
			b.buddies("alice", "bob")
			first, second := strings.TrimPrefix(place.Servers[0], "server-"), strings.TrimPrefix(place.Servers[1], "server-")
			one, two := b.phone("alice", first, "TCP"), b.phone("alice", second, "TCP")
			one.publishes("of one")
			two.publishes("of two")
			ann, watcher := b.phone("ann", "a", "TCP"), b.phone("ann", "a", "TCP")
			final(t, watcher.ask(watcher.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "3600")), 200)
			final(t, ann.ask(ann.list("buddies", "Supported", "eventlist")), 200)
			// direct is the newest document by a subscription of her own.
			var direct, listed string
			for want := range slices.Values([][]string{{"of one", "of two"}, {"of one", "again"}}) {
				if want[1] == "again" {
					two.publishes("again")
				}
				for !strings.Contains(direct, want[0]) || !strings.Contains(direct, want[1]) {
					direct = string(watcher.take("NOTIFY", 200).Body())
				}
				for !strings.Contains(listed, strings.TrimSpace(direct)) {
					req := ann.take("NOTIFY", 200)
					toldOf(t, req)
					listed = string(req.Body())
				}
			}
			for _, hers := range []*phone{one, two} {
				final(t, hers.ask(hers.list("buddies", "Supported", "eventlist")), 200)
				for !strings.Contains(hers.told(), "bob=active(closed)") {
				}
			}
			stranger := b.phone("alice", "c", "TCP")
			if !place.Serves("server-c") {
				final(t, stranger.ask(stranger.list("buddies", "Supported", "eventlist")), 404)
			}
		})
	}
}
