package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// ring is an INVITE to alice as its sender sees it.
type ring struct {
	t      *testing.T
	sender *phone
	invite *message.Request
	tx     *sip.ClientTx
	heard  chan *message.Response // all but 100; closed on a failure
	calls  *dialog.Fork
}

func (p *phone) rings(fields ...string) *ring {
	r := &ring{t: p.t, sender: p, invite: p.says(message.INVITE, "alice", fields...), heard: make(chan *message.Response, 100)}
	r.calls = dialog.NewFork(r.invite)
	r.tx = p.Send(message.Clone(r.invite), sip.Target{Transport: p.transport, Addr: p.server}, func(res *message.Response, err error) {
		if err != nil {
			close(r.heard)
		} else if res.StatusCode != 100 {
			r.heard <- res
		}
	})
	return r
}

// hears wants that status next, and gives the dialog that comes of it.
func (r *ring) hears(status int, tag string) (*message.Response, *dialog.Dialog) {
	r.t.Helper()
	res := final(r.t, r.heard, status)
	d, _, err := r.calls.Receive(res)
	if err != nil || status < 300 && d.Remote != tag {
		r.t.Fatalf("%v of %+v, want tag %s", err, d, tag)
	}
	return res, d
}

// invited is the INVITE that came, answered with that status.
func (p *phone) invited(status int, tag string, fields ...string) *sip.ServerTx {
	p.t.Helper()
	tx := next(p.t, p.requests)
	if tx.Request().Method != message.INVITE {
		p.t.Fatalf("%s got %s", tag, tx.Request().Method)
	}
	p.replies(tx, status, tag, fields...)
	return tx
}

func (p *phone) replies(tx *sip.ServerTx, status int, tag string, fields ...string) {
	p.t.Helper()
	res := message.NewResponse(tx.Request(), status, "", tag)
	message.Add(res, "Contact", p.contact())
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	if err := tx.Respond(res); err != nil {
		p.t.Fatal(err)
	}
}

// givesUp answers the CANCEL of that INVITE as a device does.
func (p *phone) givesUp(invite *sip.ServerTx, tag string) {
	p.t.Helper()
	c := next(p.t, p.requests)
	if c.Request().Method != message.CANCEL || c.Invite() != invite {
		p.t.Fatalf("%s got %s, want the CANCEL of its INVITE", tag, c.Request().Method)
	}
	p.replies(c, 200, tag)
	p.replies(invite, 487, tag)
}

// twoServers is alice with a PC on server-a and a phone on server-b.
func twoServers(t *testing.T, place routing.Place, transport string) (b *domain, pc, phone *phone) {
	t.Helper()
	b = unionOf(t, place)
	pc, phone = b.phone("alice", "a", transport), b.phone("alice", "b", transport)
	pc.register()
	phone.register()
	return b, pc, phone
}

// TestDialogsThroughAUnion: each early dialog's PRACK finds its device, and so does
// everything after that, from either side, also when a server was started again
// meanwhile. In 4.2.1.4 the dialog with her phone crosses bob's server twice.
func TestDialogsThroughAUnion(t *testing.T) {
	rooted, equal := hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")
	for _, tt := range []struct {
		place            routing.Place
		user, at         string
		transport        string
		pcHops, deskHops int
	}{
		{rooted, "bob", "b", "TCP", 3, 4}, {rooted, "bob", "b", "UDP", 3, 4}, {rooted, "cleo", "c", "TCP", 3, 4}, {rooted, "ann", "a", "TCP", 2, 3},
		{equal, "bob", "b", "TCP", 3, 2}, {equal, "cleo", "c", "UDP", 3, 3}, {equal, "ann", "a", "TCP", 2, 3},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", tt.place, tt.user, tt.transport), func(t *testing.T) {
			b, pc, desk := twoServers(t, tt.place, tt.transport)
			sender := b.phone(tt.user, tt.at, tt.transport)
			call := sender.rings("Supported", "early-session, 100rel")
			devices := map[string]*ringing{"pc": {phone: pc, hops: tt.pcHops}, "phone": {phone: desk, hops: tt.deskHops}}
			for _, tag := range []string{"pc", "phone"} {
				d := devices[tag]
				d.tx = d.invited(183, tag, "Require", "100rel", "RSeq", "17")
				if got := message.Values(d.tx.Request(), "Supported"); !slices.Equal(got, []string{"early-session", "100rel"}) {
					t.Errorf("%s: Supported %q", tag, got)
				}
				var res *message.Response
				if res, d.early = call.hears(183, tag); message.Get(res, "Require") != "100rel" || message.Get(res, "RSeq") != "17" {
					t.Errorf("%s: 183 with Require %q, RSeq %q", tag, message.Get(res, "Require"), message.Get(res, "RSeq"))
				}
			}
			for _, tag := range []string{"pc", "phone"} {
				d := devices[tag]
				heard := sender.ask(within(t, d.early, message.PRACK, "RAck", "17 1 INVITE", "P-Asserted-Identity", "<sip:carol@example.com>"))
				got := d.take(message.PRACK, 200)
				if message.Has(got, "P-Asserted-Identity") || message.Get(got, "RAck") != "17 1 INVITE" || len(message.Values(got, "Via")) != d.hops {
					t.Errorf("%s got\n%s", tag, message.Bytes(got))
				}
				final(t, heard, 200)
			}
			desk.replies(devices["phone"].tx, 200, "phone")
			_, caller := call.hears(200, "phone")
			pc.givesUp(devices["pc"].tx, "pc")
			callee, err := dialog.UAS(devices["phone"].tx.Request(), "phone")
			if err != nil {
				t.Fatal(err)
			}

			b.stops["b"]()
			b.start("b")
			ack, err := caller.Ack(call.invite)
			if err != nil {
				t.Fatal(err)
			}
			sender.ack(with(ack, "P-Asserted-Identity", "<sip:carol@example.com>"))
			if got := next(t, desk.acks); message.Has(got, "P-Asserted-Identity") || len(message.Values(got, "Via")) != tt.deskHops {
				t.Errorf("ACK\n%s", message.Bytes(got))
			}
			for _, end := range []struct {
				from, to *phone
				d        *dialog.Dialog
				as       string
			}{{sender, desk, caller, tt.user}, {desk, sender, callee, "alice"}} {
				for method, identity := range map[string]string{"INFO": "", "INVITE": "<sip:" + end.as + "@example.com>"} {
					heard := end.from.ask(within(t, end.d, method, "P-Asserted-Identity", "<sip:carol@example.com>"))
					got := end.to.take(method, 200)
					if message.Get(got, "P-Asserted-Identity") != identity || len(message.Values(got, "Via")) != tt.deskHops {
						t.Errorf("%s of %s\n%s", method, end.as, message.Bytes(got))
					}
					final(t, heard, 200)
				}
			}
			heard := desk.ask(within(t, callee, "BYE"))
			sender.take("BYE", 200)
			final(t, heard, 200)
			if n := len(pc.requests) + len(desk.requests); n != 0 {
				t.Errorf("%d requests too many", n)
			}
		})
	}
}

// ringing is one of her devices in a call.
type ringing struct {
	*phone
	hops  int
	tx    *sip.ServerTx
	early *dialog.Dialog
}

// TestHerPolicyIsAskedOnce: by the server that answers for her whole, and not
// again by one that is asked for its own share, unless policy is distributed.
func TestHerPolicyIsAskedOnce(t *testing.T) {
	b, pc, phone := twoServers(t, hierarchy("server-a", "server-a", "server-b"), "TCP")
	b.rule("alice", db.MatchUser, "bob@example.com", db.Block)
	bob := b.phone("bob", "b", "TCP")
	final(t, bob.rings().heard, 403)
	b.stops["a"]()
	root := b.peer("bob", "servera.example.com", "b") // which has decided otherwise
	ask := func() <-chan *message.Response {
		req := root.says(message.MESSAGE, "alice", "P-Asserted-Identity", "<sip:bob@example.com>")
		req.Recipient.Host = "serverb.example.com"
		return root.ask(req)
	}
	heard := ask()
	phone.take(message.MESSAGE, 200)
	final(t, heard, 200)
	if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: db.DistributedPolicy, Default: db.Confirm}); err != nil {
		t.Fatal(err)
	}
	final(t, ask(), 403)
	if n := len(pc.requests) + len(phone.requests); n != 0 {
		t.Errorf("%d requests too many", n)
	}
}

// TestAServersChallengeReachesNobody: who gave her password to her own server
// cannot answer another one that does not know it.
func TestAServersChallengeReachesNobody(t *testing.T) {
	b := unionOf(t, peers("server-a", "server-b"))
	b.stops["b"]()
	stranger := b.peer("stranger", "serverb.example.com", "a")
	if err := b.directory.SetServer(t.Context(), db.Server{Name: "server-b", Identity: "serverb.example.com",
		URI: "sip:" + stranger.Addr("TLS").String() + ";transport=tls"}); err != nil {
		t.Fatal(err)
	}
	ann, pc := b.phone("ann", "a", "TCP"), b.phone("alice", "a", "TCP")
	refuse := func() {
		t.Helper()
		stranger.invited(407, "stranger", "Proxy-Authenticate", `Digest realm="example.com", nonce="x"`)
	}
	call := ann.rings()
	refuse()
	res := final(t, call.heard, 500)
	if w := message.Get(res, "Warning"); !strings.Contains(w, "serverb.example.com") || message.Has(res, "Proxy-Authenticate") {
		t.Errorf("heard\n%s", message.Bytes(res))
	}
	pc.register()
	call = ann.rings()
	refuse()
	pc.invited(486, "pc")
	final(t, call.heard, 486)
}

// TestAServerIsDown, or goes while her devices ring: the others ring on, and what
// they say is the answer.
func TestAServerIsDown(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")} {
		b, pc, phone := twoServers(t, place, "TCP")
		ann := b.phone("ann", "a", "TCP")
		call := ann.rings()
		atPC := pc.invited(180, "pc")
		call.hears(180, "pc")
		phone.invited(180, "phone")
		call.hears(180, "phone")
		b.stops["b"]()
		pc.replies(atPC, 200, "pc")
		call.hears(200, "pc")

		for _, status := range []int{200, 486, 603} {
			call = ann.rings()
			pc.invited(status, "pc")
			call.hears(status, "pc")
		}
		if n := len(pc.requests) + len(phone.requests); n != 0 {
			t.Errorf("%d requests too many", n)
		}
		message200 := ann.ask(ann.says(message.MESSAGE, "alice"))
		pc.take(message.MESSAGE, 200)
		final(t, message200, 200)
	}
}
