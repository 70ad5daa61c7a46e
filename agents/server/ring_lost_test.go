package server_test

import (
	"testing"

	"presfed/agents/internal/message"
)

// TestTheRootGoesWhileTheyRing: whose answer would be heard by nobody stops
// ringing, and the sender is told.
func TestTheRootGoesWhileTheyRing(t *testing.T) {
	b, pc, phone := twoServers(t, hierarchy("server-a", "server-a", "server-b"), "TCP")
	bob := b.phone("bob", "b", "TCP")
	call := bob.rings()
	pc.invited(180, "pc")
	call.hears(180, "pc")
	atPhone := phone.invited(180, "phone")
	call.hears(180, "phone")
	b.stops["a"]()
	phone.givesUp(atPhone, "phone")
	call.hears(500, "")
	b.start("a")
	pc.register()
	call = bob.rings()
	pc.invited(200, "pc")
	call.hears(200, "pc")
}

// TestTheSenderGivesUp: her CANCEL reaches every device through both servers;
// who answered before it came is answered for.
func TestTheSenderGivesUp(t *testing.T) {
	for _, crosses := range []bool{false, true} {
		b, pc, phone := twoServers(t, hierarchy("server-a", "server-a", "server-b"), "TCP")
		bob := b.phone("bob", "b", "TCP")
		call := bob.rings()
		atPC := pc.invited(180, "pc")
		call.hears(180, "pc")
		atPhone := phone.invited(180, "phone")
		call.hears(180, "phone")
		call.tx.Cancel()
		if !crosses {
			pc.givesUp(atPC, "pc")
			phone.givesUp(atPhone, "phone")
			res := final(t, call.heard, 487)
			if n := len(message.Values(res, "Via")); n != 1 {
				t.Errorf("%d Vias", n)
			}
			continue
		}
		pc.givesUp(atPC, "pc")
		if c := next(t, phone.requests); c.Request().Method != message.CANCEL {
			t.Fatalf("the phone got %s", c.Request().Method)
		}
		phone.replies(atPhone, 200, "phone") // before it has read the CANCEL
		_, d := call.hears(200, "phone")
		ack, err := d.Ack(call.invite)
		if err != nil {
			t.Fatal(err)
		}
		bob.ack(ack)
		next(t, phone.acks)
		heard := bob.ask(within(t, d, "BYE"))
		phone.take("BYE", 200)
		final(t, heard, 200)
	}
}

// TestHowFarAnInviteGoes: breadth and hops are what all branches share (RFC 5393
// section 5.3, RFC 3261 section 16.6 step 3), over all servers.
func TestHowFarAnInviteGoes(t *testing.T) {
	b, pc, phone := twoServers(t, hierarchy("server-a", "server-a", "server-b"), "TCP")
	second := b.phone("alice", "b", "TCP")
	second.register()
	bob := b.phone("bob", "b", "TCP")
	for _, tt := range []struct {
		field, value       string
		pcRings, bothRings bool
		status             int // without anybody who answers
	}{
		{"Max-Breadth", "3", true, true, 486},
		{"Max-Breadth", "2", true, false, 440}, // one each: too few for her two phones on server-b
		{"Max-Breadth", "1", false, false, 440},
		{"Max-Breadth", "0", false, false, 440},
		{"Max-Forwards", "3", true, true, 486},
		{"Max-Forwards", "2", true, false, 483}, // none is left for server-b
		{"Max-Forwards", "1", false, false, 483},
		{"Max-Forwards", "0", false, false, 483},
	} {
		req := bob.says(message.INVITE, "alice")
		message.Set(req, tt.field, tt.value)
		heard := bob.ask(req)
		if tt.pcRings {
			pc.invited(map[bool]int{true: 486, false: 500}[tt.bothRings], "pc")
		}
		if tt.bothRings {
			phone.invited(486, "phone")
			second.invited(486, "second")
		}
		if res := next(t, heard); res.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.field, tt.value, res.StatusCode, tt.status)
		}
	}
	if n := len(pc.requests) + len(phone.requests) + len(second.requests); n != 0 {
		t.Errorf("%d requests too many", n)
	}
}

// TestAServiceUnavailableOfADevice is its answer: the way by its connection and
// the way by its contact lead to the same device.
func TestAServiceUnavailableOfADevice(t *testing.T) {
	b, pc, phone := twoServers(t, peers("server-a", "server-b"), "TCP")
	ann := b.phone("ann", "a", "TCP")
	for _, method := range []string{message.INVITE, message.MESSAGE} {
		heard := ann.ask(ann.says(method, "alice"))
		pc.take(method, 503)
		phone.take(method, 486)
		final(t, heard, 486)
		if n := len(pc.requests) + len(phone.requests); n != 0 {
			t.Errorf("%s: %d requests too many", method, n)
		}
	}
}
