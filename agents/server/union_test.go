package server_test

import (
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// unionOf is three servers, with ann on a, bob on b and cleo on c, and alice as
// the place says. Everybody allows everybody.
func unionOf(t *testing.T, place routing.Place, change ...func(*server.Config)) *domain {
	t.Helper()
	b := federatedWith(t, func(c *server.Config) {
		believing(c)
		c.WatchersEvery = time.Millisecond
		c.FirstNotify, c.ShareGrace = 200*time.Millisecond, 200*time.Millisecond
		c.Synchronised = false // so that no server is behind
		for _, more := range change {
			more(c)
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.directory.AddServer(t.Context(), db.Server{Name: "server-c", URI: "sip:serverc.example.com;transport=tls"}))
	for user, at := range map[string]string{"ann": "server-a", "cleo": "server-c"} {
		must(b.directory.AddUser(t.Context(), db.User{AOR: user + "@example.com"}))
		must(b.directory.Assign(t.Context(), user+"@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{at}}))
		b.rule(user, db.MatchDefault, "", db.Allow)
	}
	must(b.directory.AddUser(t.Context(), db.User{AOR: "nowhere@example.com"}))
	must(b.directory.Assign(t.Context(), "alice@example.com", place))
	b.serve("c")
	return b
}

func hierarchy(root string, servers ...string) routing.Place {
	return routing.Place{Model: routing.Hierarchical, Root: root, Servers: servers}
}

func peers(servers ...string) routing.Place {
	return routing.Place{Model: routing.Peer, Servers: servers}
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\na=path:msrp://127.0.0.1:7654/s;tcp\r\n"

// says is a MESSAGE, or an INVITE that offers a message session.
func (p *phone) says(method, to string, fields ...string) *message.Request {
	req := p.request(method, to, fields...)
	if method == message.INVITE {
		message.SetBody(req, "application/sdp", []byte(offer))
	} else {
		message.SetBody(req, "text/plain", []byte("R u there"))
	}
	return req
}

// TestEveryDeviceOnce: whoever sends, at whichever server, each of her devices
// that can IM is reached once and no other is, whatever the union's shape.
func TestEveryDeviceOnce(t *testing.T) {
	for _, place := range []routing.Place{
		hierarchy("server-a", "server-a", "server-b"), hierarchy("server-b", "server-a", "server-b"),
		hierarchy("server-a", "server-a", "server-b", "server-c"), hierarchy("server-c", "server-a", "server-b"),
		peers("server-a", "server-b"), peers("server-a", "server-b", "server-c"),
	} {
		t.Run(place.String(), func(t *testing.T) {
			b := unionOf(t, place)
			var devices []*phone
			for _, name := range place.Servers {
				at := name[len("server-"):]
				p := b.phone("alice", at, "TCP")
				p.register()
				desk := b.phone("alice", at, "TCP")
				voice := desk.request("REGISTER", "alice")
				message.Set(voice, "Contact", desk.contact()+";audio")
				final(t, desk.ask(voice), 200)
				devices = append(devices, p, desk)
			}
			for at, user := range map[string]string{"a": "ann", "b": "bob", "c": "cleo"} {
				sender := b.phone(user, at, "TCP")
				for _, method := range []string{message.INVITE, message.MESSAGE} {
					heard := sender.ask(sender.says(method, "alice"))
					for i := 0; i < len(devices); i += 2 {
						got := devices[i].take(method, 486)
						if id := message.Get(got, "P-Asserted-Identity"); id != "<sip:"+user+"@example.com>" {
							t.Errorf("%s at %s: a device is told it is of %q", method, at, id)
						}
					}
					// All branches are done, so that none is still on its way.
					final(t, heard, 486)
					for i, d := range devices {
						if n := len(d.requests); n != 0 {
							t.Errorf("%s at %s: device %d got %d too many", method, at, i, n)
						}
					}
				}
			}
		})
	}
}

// TestOneOfHerDevicesTookTheMessage, whatever the others say.
func TestOneOfHerDevicesTookTheMessage(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")} {
		b := unionOf(t, place)
		pc, phone := b.phone("alice", "a", "TCP"), b.phone("alice", "b", "TCP")
		pc.register()
		phone.register()
		for at, user := range map[string]string{"a": "ann", "b": "bob", "c": "cleo"} {
			sender := b.phone(user, at, "TCP")
			heard := sender.ask(sender.says(message.MESSAGE, "alice"))
			pc.take(message.MESSAGE, 480)
			phone.take(message.MESSAGE, 200)
			final(t, heard, 200)
		}
	}
}

// TestNobodyThere: without a device that can IM it is 480, on however many
// servers she has none.
func TestNobodyThere(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")} {
		b := unionOf(t, place)
		for at, user := range map[string]string{"a": "ann", "b": "bob", "c": "cleo"} {
			sender := b.phone(user, at, "TCP")
			for _, method := range []string{message.INVITE, message.MESSAGE} {
				final(t, sender.ask(sender.says(method, "alice")), 480)
			}
		}
	}
}
