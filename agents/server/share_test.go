package server_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// documentOf is what one device of a user publishes.
func documentOf(user, tuple, basic, activity string) []byte {
	person := ""
	if activity != "" {
		person = `<dm:person id="p-` + tuple + `"><rpid:activities>` + activity + `</rpid:activities></dm:person>`
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:` + user +
		`@example.com"><tuple id="` + tuple + `"><status><basic>` + basic + `</basic></status><contact>sip:` + tuple + `@host</contact></tuple>` + person + `</presence>`)
}

const dnd = "<rpid:busy/><rpid:other>do-not-disturb</rpid:other>"

// publishes sends a document of alice's, over the former one if there is an
// entity-tag, and gives the new one.
func publishes(t *testing.T, c *client.Client, etag string, body []byte) string {
	t.Helper()
	tag, _, err := c.Publish(timeout(t), client.Publication{Expires: time.Hour, ETag: etag, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func unpublishes(t *testing.T, c *client.Client, etag string) {
	t.Helper()
	if _, _, err := c.Publish(timeout(t), client.Publication{ETag: etag}); err != nil {
		t.Fatal(err)
	}
}

// watches subscribes to alice.
func (b *domain) watches(user, at string) (*client.Subscription, <-chan client.Event) {
	b.t.Helper()
	c, heard := b.device(user, at)
	sub, err := c.Subscribe(timeout(b.t), "alice", client.SubscribeOptions{Expires: time.Hour})
	if err != nil {
		b.t.Fatal(err)
	}
	return sub, heard
}

// shows wants these tuples with that status, no others, in one document.
func shows(tuples ...string) func(client.Event) bool {
	return func(e client.Event) bool {
		if e.Type != "presence" || e.Body == "" || strings.Count(e.Body, "<tuple ") != len(tuples) {
			return false
		}
		for _, tuple := range tuples {
			name, basic, _ := strings.Cut(tuple, "=")
			_, after, found := strings.Cut(e.Body, `<tuple id="`+name+`"`)
			before, _, _ := strings.Cut(after, "</tuple>")
			if !found || !strings.Contains(before, ">"+basic+"<") {
				return false
			}
		}
		return true
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

var unions = []routing.Place{
	hierarchy("server-a", "server-a", "server-b"), hierarchy("server-c", "server-a", "server-b"),
	peers("server-a", "server-b"),
}

// TestTheWholeOfAUser: whichever server a watcher asks, she sees the same document
// of all that the user's devices publish at her servers, as it changes, through
// the death and the return of a server; and nothing is held once nobody watches.
func TestTheWholeOfAUser(t *testing.T) {
	for _, place := range unions {
		for _, mode := range []db.PolicyMode{db.RootPolicy, db.DistributedPolicy} {
			t.Run(place.String()+" "+string(mode), func(t *testing.T) { theWholeOfAUser(t, place, mode) })
		}
	}
}

func theWholeOfAUser(t *testing.T, place routing.Place, mode db.PolicyMode) {
	b := unionOf(t, place)
	if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: mode}); err != nil {
		t.Fatal(err)
	}
	pc, _ := b.device("alice", "a")
	phone, _ := b.device("alice", "b")
	publishes(t, pc, "", documentOf("alice", "pc", "open", "<rpid:other>available</rpid:other>"))
	etag := publishes(t, phone, "", documentOf("alice", "phone", "open", ""))

	var heard []<-chan client.Event
	for _, w := range []string{"ann a", "ann a", "bob b", "cleo c", "alice a"} {
		user, at, _ := strings.Cut(w, " ")
		_, events := b.watches(user, at)
		heard = append(heard, events)
	}
	all := func(what string, want func(client.Event) bool) {
		t.Helper()
		body := ""
		for i, events := range heard {
			e := await(t, events, fmt.Sprintf("%s, by watcher %d", what, i), want)
			if body != "" && e.Body != body {
				t.Errorf("%s: watcher %d is shown\n%s\nand another\n%s", what, i, e.Body, body)
			}
			body = e.Body
		}
	}
	all("both devices", shows("pc=open", "phone=open"))
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "closed", "<rpid:on-the-phone/>"))
	all("the phone is busy", shows("pc=open", "phone=closed"))
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "open", dnd))
	// Her PC may be seen closed, by its server's device policy, before the reason is.
	all("not to be disturbed", func(e client.Event) bool {
		return shows("pc=closed", "phone=closed")(e) && strings.Contains(e.Body, "do-not-disturb")
	})
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "open", ""))
	all("to be disturbed", shows("pc=open", "phone=open"))

	if place.Model == routing.Hierarchical { // every watcher's way leads through the root
		heard = heard[:2]
	} else {
		heard = []<-chan client.Event{heard[0], heard[1], heard[3], heard[4]}
	}
	if place.Root != "server-c" {
		b.stops["b"]()
		all("the phone's server is away", shows("pc=open"))
		b.start("b")
		all("and back", shows("pc=open", "phone=open"))
		unpublishes(t, phoneAgain(b), etag)
		all("the phone has gone", shows("pc=open"))
	}
	for _, at := range []string{"a", "b", "c"} { // each device's server, which ends with it
		b.stops[at]()
	}
}

// phoneAgain is alice's phone, which has to connect anew.
func phoneAgain(b *domain) *client.Client {
	c, _ := b.device("alice", "b")
	return c
}

// TestNothingIsHeldForNobody: subscriptions at other servers come with the first
// watcher and go after the last, a fetch included.
func TestNothingIsHeldForNobody(t *testing.T) {
	b := unionOf(t, peers("server-a", "server-b"))
	phone, _ := b.device("alice", "b")
	publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	ann, heard := b.device("ann", "a")
	if _, err := ann.Subscribe(timeout(t), "alice", client.SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, heard, "what is fetched", shows("phone=open"))
	sub, events := b.watches("ann", "a")
	await(t, events, "the phone", shows("phone=open"))
	other, more := b.watches("ann", "a")
	await(t, more, "the phone", shows("phone=open"))
	if n := b.servers["a"].Shares(); n != 1 {
		t.Errorf("%d subscriptions at other servers for one user", n)
	}
	for _, s := range []*client.Subscription{sub, other} {
		if err := s.Unsubscribe(timeout(t)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "nothing is held", func() bool {
		return b.servers["a"].Shares() == 0 && b.servers["b"].Watchers() == 0
	})
}

// TestSharesOverARestart: the server that composes is killed, or stopped, and goes
// on with the shares it held.
func TestSharesOverARestart(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	phone, _ := b.device("alice", "b")
	etag := publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	_, heard := b.watches("bob", "b")
	await(t, heard, "the phone", shows("phone=open"))
	b.stops["a"]()
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "closed", ""))
	b.start("a")
	await(t, heard, "what was missed", shows("phone=closed"))
	publishes(t, phone, etag, documentOf("alice", "phone", "open", ""))
	await(t, heard, "what is new", shows("phone=open"))
	eventually(t, "one subscription for one user", func() bool {
		return b.servers["a"].Shares() == 1 && b.servers["b"].Watchers() == 1
	})
}

// TestLargeShares: a share may be as large as what a user may publish at a server;
// what all of them make is shown as long as a NOTIFY can carry it.
func TestLargeShares(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	pc, _ := b.device("alice", "a")
	phone, _ := b.device("alice", "b")
	large := func(tuple string) []byte {
		return []byte(strings.Replace(string(documentOf("alice", tuple, "open", "")), "</presence>", "<note>"+strings.Repeat(tuple, 25<<10)+"</note></presence>", 1))
	}
	_, ann := b.watches("ann", "a")
	_, cleo := b.watches("cleo", "c")
	all := func(what string, want func(client.Event) bool) {
		t.Helper()
		await(t, ann, what, want)
		await(t, cleo, what, want)
	}
	publishes(t, phone, "", large("p1"))
	publishes(t, phone, "", large("p2"))
	all("a share of two publications", shows("p1=open", "p2=open"))
	publishes(t, pc, "", large("a1"))
	publishes(t, pc, "", large("a2"))
	all("both", shows("p1=open", "p2=open", "a1=open", "a2=open"))
	tag := publishes(t, phone, "", large("p3"))
	all("a NOTIFY without what it cannot carry", func(e client.Event) bool { return e.Type == "presence" && e.State == "active" && e.Body == "" })
	unpublishes(t, phone, tag)
	all("both again", shows("p1=open", "p2=open", "a1=open", "a2=open"))
}

// TestARestartRefreshesWhatItHeld and makes nothing anew.
func TestARestartRefreshesWhatItHeld(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	c := b.child()
	_, heard := b.watches("ann", "a")
	c.asked(200)
	c.notifies("active;expires=300", documentOf("alice", "phone", "open", ""))
	await(t, heard, "her phone", shows("phone=open"))
	b.stops["a"]()
	b.start("a")
	if to, err := message.To(next(t, c.requests).Request()); err != nil || to.Tag() != "child" {
		t.Errorf("a new subscription: %s", to)
	}
	c.notifies("active;expires=300", documentOf("alice", "phone", "closed", ""))
	if len(c.requests) > 0 {
		t.Errorf("more is asked:\n%s", message.Bytes(next(t, c.requests).Request()))
	}
}

// TestPublicationsHandedOver: a child may pass publications on to the root; what
// watchers see is the same.
func TestPublicationsHandedOver(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	b.stops["b"]()
	change := b.change
	b.change = func(c *server.Config) { change(c); c.PublishToRoot = true }
	b.start("b")
	pc, _ := b.device("alice", "a")
	phone, _ := b.device("alice", "b")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	etag := publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	_, heard := b.watches("cleo", "c")
	await(t, heard, "both devices", shows("pc=open", "phone=open"))
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "closed", ""))
	await(t, heard, "a change", shows("pc=open", "phone=closed"))
	unpublishes(t, phone, etag)
	await(t, heard, "the end", shows("pc=open"))
}

// TestHandingOverBegins: what a child had taken before stays with it, and is there
// once.
func TestHandingOverBegins(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	phone, _ := b.device("alice", "b")
	etag := publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	_, heard := b.watches("ann", "a")
	await(t, heard, "her phone", shows("phone=open"))
	b.stops["b"]()
	change := b.change
	b.change = func(c *server.Config) { change(c); c.PublishToRoot = true }
	b.start("b")
	phone = phoneAgain(b)
	etag = publishes(t, phone, etag, documentOf("alice", "phone", "closed", ""))
	await(t, heard, "a change", shows("phone=closed"))
	publishes(t, phone, "", documentOf("alice", "new", "open", ""))
	await(t, heard, "another", shows("phone=closed", "new=open"))
	unpublishes(t, phone, etag)
	await(t, heard, "the end", shows("new=open"))
}

// TestHandedOverToARootThatServesHerNot: she keeps what was handed over to her,
// over a restart too, if she is set to; otherwise she takes nothing.
func TestHandedOverToARootThatServesHerNot(t *testing.T) {
	b := unionOf(t, hierarchy("server-c", "server-a", "server-b"))
	change := b.change
	b.change = func(c *server.Config) { change(c); c.PublishToRoot = true }
	b.stops["a"]()
	b.start("a")
	phone, _ := b.device("alice", "a")
	_, _, err := phone.Publish(timeout(t), client.Publication{Body: documentOf("alice", "phone", "open", ""), Expires: time.Hour})
	var refused *client.RefusedError
	if !errors.As(err, &refused) || refused.Status() != 403 {
		t.Errorf("a root that is not set to take it: %v", err)
	}
	b.stops["c"]()
	b.start("c")
	etag := publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	b.stops["c"]()
	b.start("c")
	_, heard := b.watches("bob", "b")
	await(t, heard, "what was handed over", shows("phone=open"))
	publishes(t, phone, etag, documentOf("alice", "phone", "closed", ""))
	await(t, heard, "a change", shows("phone=closed"))
}

// child poses as server-b, which serves alice too: it takes the subscription of
// server-a and answers as told.
type child struct {
	*phone
	subscribe *sip.ServerTx
	cseq      int
}

func (b *domain) child() *child {
	b.t.Helper()
	b.stops["b"]()
	c := &child{phone: b.peer("server-b", "serverb.example.com", "a")}
	if err := b.directory.SetServer(b.t.Context(), db.Server{Name: "server-b",
		URI: "sip:" + c.Addr("TLS").String() + ";transport=tls", Identity: "serverb.example.com"}); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// asked takes a SUBSCRIBE and answers it.
func (c *child) asked(status int) *message.Request {
	c.t.Helper()
	c.subscribe = next(c.t, c.requests)
	res := message.NewResponse(c.subscribe.Request(), status, "", "child")
	message.Add(res, "Contact", "<sip:serverb.example.com>")
	message.Add(res, "Expires", "300")
	if err := c.subscribe.Respond(res); err != nil {
		c.t.Fatal(err)
	}
	return c.subscribe.Request()
}

// notifies sends a NOTIFY and gives the status of its answer.
func (c *child) notifies(state string, body []byte, fields ...string) int {
	c.t.Helper()
	c.cseq++
	asked := c.subscribe.Request()
	to, err := message.AddressOf(asked, "Contact")
	if err != nil {
		c.t.Fatal(err)
	}
	req := message.NewRequest(message.NOTIFY, to.URI)
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", message.Get(asked, "To")+";tag=child")
	message.Add(req, "To", message.Get(asked, "From"))
	message.Add(req, "Call-ID", message.CallID(asked))
	message.Add(req, "CSeq", message.CSeq{Seq: uint32(c.cseq), Method: message.NOTIFY}.String())
	message.Add(req, "Contact", "<sip:serverb.example.com>")
	message.Add(req, "Event", "presence")
	message.Add(req, "Subscription-State", state)
	for i := 0; i+1 < len(fields); i += 2 {
		message.Set(req, fields[i], fields[i+1])
	}
	if body != nil {
		message.SetBody(req, "application/pidf+xml", body)
	}
	return next(c.t, c.ask(req)).StatusCode
}

// TestWhatAChildMaySay: a server is held to the subscription it was asked by; what
// it says wrongly changes nothing.
func TestWhatAChildMaySay(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	c := b.child()
	_, heard := b.watches("ann", "a")
	req := c.asked(200)
	for name, want := range map[string]string{
		"From": "<sip:alice@servera.example.com>;tag=", "P-Asserted-Identity": "<sip:alice@example.com>", "Event": "presence", "Accept": "application/pidf+xml",
	} {
		if got := message.Get(req, name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := req.Recipient.String(); got != "sip:alice@serverb.example.com" {
		t.Errorf("asked for %s", got)
	}
	if e := await(t, heard, "a NOTIFY, if without a body", func(e client.Event) bool { return e.Type == "presence" }); e.Body != "" {
		t.Errorf("part of her is shown: %s", e.Body)
	}
	open := documentOf("alice", "phone", "open", "")
	for want, got := range map[string]int{
		"somebody else's document 400": c.notifies("active", documentOf("bob", "phone", "open", "")),
		"no document 400":              c.notifies("active", []byte("<presence")),
		"a dialog that is none 481":    c.notifies("active", open, "Call-ID", "none"),
		"in server form 200":           c.notifies("active", []byte(strings.Replace(string(open), "alice@example.com", "alice@serverb.example.com", 1))),
	} {
		if !strings.HasSuffix(want, fmt.Sprint(" ", got)) {
			t.Errorf("%s, got %d", want, got)
		}
	}
	await(t, heard, "her phone", shows("phone=open"))
	if got := c.notifies("active", documentOf("bob", "x", "open", "")); got != 400 {
		t.Errorf("got %d", got)
	}
	if got := c.notifies("active", documentOf("alice", "phone", "closed", "")); got != 200 {
		t.Errorf("got %d", got)
	}
	await(t, heard, "what is right again", shows("phone=closed"))
}

// TestADeniedShareDeniesItsWatchers, at once or late; the user herself is no
// watcher who could be denied.
func TestADeniedShareDeniesItsWatchers(t *testing.T) {
	for _, late := range []bool{false, true} {
		b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
		pc, _ := b.device("alice", "a")
		publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
		c := b.child()
		_, own := b.watches("alice", "a")
		_, heard := b.watches("ann", "a")
		if late {
			c.asked(200)
			c.notifies("active", documentOf("alice", "phone", "open", ""))
			await(t, heard, "both", shows("pc=open", "phone=open"))
			c.notifies("terminated;reason=rejected", nil)
		} else {
			c.asked(603)
		}
		e := await(t, heard, "the end", func(e client.Event) bool {
			if !late && e.Body != "" {
				t.Errorf("shown to one who is denied: %s", e.Body)
			}
			return e.State == "terminated"
		})
		if e.Reason != "rejected" {
			t.Errorf("ended with %s", e.Reason)
		}
		await(t, own, "her own view", shows("pc=open"))
	}
}

// TestOnBehalf: where each server has its own policy the watcher is asserted, a
// pending decision is waited for, and a denial is hers alone.
func TestOnBehalf(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: db.DistributedPolicy}); err != nil {
		t.Fatal(err)
	}
	pc, _ := b.device("alice", "a")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	c := b.child()
	_, ann := b.watches("ann", "a")
	if id := message.Get(c.asked(200), "P-Asserted-Identity"); id != "<sip:ann@example.com>" {
		t.Errorf("asserted: %s", id)
	}
	c.notifies("pending", nil)
	if e := await(t, ann, "pending", func(e client.Event) bool { return e.Type == "presence" }); e.State != "pending" || e.Body != "" {
		t.Errorf("%s, %s", e.State, e.Body)
	}
	c.notifies("active", documentOf("alice", "phone", "open", ""))
	await(t, ann, "both", shows("pc=open", "phone=open"))
	forAnn := *c
	cleo, heard := b.device("cleo", "c")
	if _, err := cleo.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if id := message.Get(c.asked(603), "P-Asserted-Identity"); id != "<sip:cleo@example.com>" {
		t.Errorf("asserted: %s", id)
	}
	if e := await(t, heard, "the end", func(e client.Event) bool { return e.State == "terminated" || e.Body != "" }); e.Reason != "rejected" {
		t.Errorf("%+v", e)
	}
	forAnn.notifies("active", documentOf("alice", "phone", "closed", ""))
	await(t, ann, "a change", shows("pc=open", "phone=closed"))
}

// TestAWatchFollowsItsUser: a device that watches for good finds her again where the
// directory places her, and leaves off where she is denied.
func TestAWatchFollowsItsUser(t *testing.T) {
	b := unionOf(t, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
	pc, _ := b.device("alice", "a")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	ann, heard := b.device("ann", "a")
	w, err := ann.Watch(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	await(t, heard, "her PC", shows("pc=open"))
	for _, place := range []routing.Place{hierarchy("server-b", "server-a", "server-b"), hierarchy("server-a", "server-a", "server-b")} {
		if err := b.directory.Assign(t.Context(), "alice@example.com", place); err != nil {
			t.Fatal(err)
		}
		await(t, heard, "the end at her former root", func(e client.Event) bool { return e.Reason == "deactivated" })
		await(t, heard, "her PC, by her new root", shows("pc=open"))
	}
	b.rule("alice", db.MatchDefault, "", db.Block)
	await(t, heard, "the end", func(e client.Event) bool { return e.Reason == "rejected" })
	eventually(t, "she is let alone", func() bool { return len(ann.Watches()) == 0 })
	if err := w.Unwatch(timeout(t)); err != nil {
		t.Error(err)
	}
}

// TestAPeersWatcherAmongPeers: a server that is behind the directory passes a watcher
// on as to a root. Where each server has its own policy that would leave her pending
// for ever: she is to try again, at her own server.
func TestAPeersWatcherAmongPeers(t *testing.T) {
	b := unionOf(t, peers("server-a", "server-c"))
	behind := b.child()
	for mode, want := range map[db.PolicyMode]int{db.RootPolicy: 200, db.DistributedPolicy: 480} {
		if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: mode}); err != nil {
			t.Fatal(err)
		}
		req := behind.request(message.SUBSCRIBE, "alice", "Event", "presence", "P-Asserted-Identity", "<sip:bob@example.com>",
			"Record-Route", "<sip:serverb.example.com;lr>")
		message.Set(req, "From", "<sip:bob@example.com>;tag="+sip.NewTag())
		message.Set(req, "Contact", "<sip:bob@serverb.example.com>")
		final(t, behind.ask(req), want)
	}
}

// TestMovedIntoAndOutOfAUnion: the directory's word acts at once on those who
// watch already.
func TestMovedIntoAndOutOfAUnion(t *testing.T) {
	b := unionOf(t, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
	pc, _ := b.device("alice", "a")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	_, heard := b.watches("ann", "a")
	await(t, heard, "her PC", shows("pc=open"))
	place := func(p routing.Place) {
		t.Helper()
		if err := b.directory.Assign(t.Context(), "alice@example.com", p); err != nil {
			t.Fatal(err)
		}
	}
	place(peers("server-a", "server-b"))
	phone, _ := b.device("alice", "b")
	publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	await(t, heard, "her phone as well", shows("pc=open", "phone=open"))
	place(routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
	await(t, heard, "her PC alone", shows("pc=open"))
	eventually(t, "nothing is held at the other server", func() bool { return b.servers["a"].Shares() == 0 })
	place(hierarchy("server-b", "server-a", "server-b"))
	if e := await(t, heard, "the end", func(e client.Event) bool { return e.State == "terminated" }); e.Reason != "deactivated" {
		t.Errorf("ended with %s", e.Reason)
	}
}

// TestARootOnlyActsForItsOwn: where every server acts as root, watchers at others
// are to ask their own, who alone may speak for them.
func TestARootOnlyActsForItsOwn(t *testing.T) {
	b := unionOf(t, hierarchy("server-b", "server-a", "server-b"))
	_, far := b.watches("cleo", "c")
	_, near := b.watches("bob", "b")
	absent := func(e client.Event) bool { return e.Body != "" }
	await(t, far, "her", absent)
	await(t, near, "her", absent)
	if err := b.directory.Assign(t.Context(), "alice@example.com", peers("server-a", "server-b")); err != nil {
		t.Fatal(err)
	}
	await(t, far, "where to ask", ended("deactivated"))
	phone, _ := b.device("alice", "a")
	publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
	await(t, near, "her phone", shows("phone=open"))
}
