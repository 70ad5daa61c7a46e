package flow

import "context"

// The draft's two calls that ring every device of a user. Names of bodies are
// the draft's: offer o, answer a, early offer eo, early answer ea.

// rootIM is 4.2.1.4: through the root, which sends one branch back to the server
// that the call came from.
func rootIM() Flow {
	pc, phone := leg(AlicePC), leg(AlicePhone)
	return build(Flow{
		ID: "4.2.1.4", Slug: "hierarchical/im", Title: "Bob sends an instant message to Alice", Model: hierarchical,
		Needs: "4.2.1.1; Bob registered at server-b; Alice allows Bob",
		Messages: []Message{
			arrow("F1", BobPC, ServerB, "INVITE", opens("session"), note("offer o, Supported: early-session, 100rel")),
			arrow("F2", ServerB, ServerA, "INVITE", passes("F1"), note("o, Route server-a")),
			arrow("F3", ServerA, ServerB, "INVITE", passes("F2"), phone, note("o1, Request-URI alice@server-b: deliver to your own devices")),
			arrow("F4", ServerA, AlicePC, "INVITE", passes("F2"), pc, note("o2")),
			arrow("F5", ServerB, AlicePhone, "INVITE", passes("F3"), phone, note("o1")),
			arrow("F6", AlicePC, ServerA, "183 INVITE", early("F4", "pc"), pc, note("a2 + early offer eo2, multipart/mixed")),
			arrow("F7", AlicePhone, ServerB, "183 INVITE", early("F5", "phone"), phone, note("a1 + eo1")),
			arrow("F8", ServerB, ServerA, "183 INVITE", relays("F7", "F3"), phone, note("a1 + eo1")),
			arrow("F9", ServerA, ServerB, "183 INVITE", relays("F6", "F2"), pc, note("a2 + eo2")),
			arrow("F10", ServerB, BobPC, "183 INVITE", relays("F9", "F1"), pc, note("a2 + eo2")),
			arrow("F11", BobPC, ServerB, "PRACK", within("pc"), after("F10"), pc, note("early answer ea2")),
			arrow("F12", ServerB, ServerA, "PRACK", passes("F11"), pc),
			arrow("F13", ServerA, AlicePC, "PRACK", passes("F12"), pc),
			arrow("F14", AlicePC, ServerA, "200 PRACK", answers("F13"), pc),
			arrow("F15", ServerA, ServerB, "200 PRACK", relays("F14", "F12"), pc),
			arrow("F16", ServerB, BobPC, "200 PRACK", relays("F15", "F11"), pc),
			arrow("E1", BobPC, AlicePC, "SEND", msrp, after("F11"), pc, note(`early session: "R u there"`)),
			arrow("E1r", AlicePC, BobPC, "200 SEND", msrp, answers("E1"), pc),
			arrow("F17", ServerA, ServerB, "183 INVITE", relays("F8", "F2"), phone, note("a1 + eo1")),
			arrow("F18", ServerB, BobPC, "183 INVITE", relays("F17", "F1"), phone),
			arrow("F19", BobPC, ServerB, "PRACK", within("phone"), after("F18"), phone, note("ea1")),
			arrow("F20", ServerB, ServerA, "PRACK", passes("F19"), phone),
			arrow("F21", ServerA, ServerB, "PRACK", passes("F20"), phone),
			arrow("F22", ServerB, AlicePhone, "PRACK", passes("F21"), phone),
			arrow("F23", AlicePhone, ServerB, "200 PRACK", answers("F22"), phone),
			arrow("F24", ServerB, ServerA, "200 PRACK", relays("F23", "F21"), phone),
			arrow("F25", ServerA, ServerB, "200 PRACK", relays("F24", "F20"), phone),
			arrow("F26", ServerB, BobPC, "200 PRACK", relays("F25", "F19"), phone),
			arrow("E2", BobPC, AlicePhone, "SEND", msrp, after("F19"), phone, note(`early session: "R u there"`)),
			arrow("E2r", AlicePhone, BobPC, "200 SEND", msrp, answers("E2"), phone),
			arrow("F27", AlicePC, ServerA, "200 INVITE", answers("F4"), within("pc"), after("E1", "F14"), pc, note("Alice answers on her PC")),
			arrow("F28", ServerA, ServerB, "200 INVITE", relays("F27", "F2"), pc),
			arrow("F29", ServerB, BobPC, "200 INVITE", relays("F28", "F1"), pc),
			arrow("F30", BobPC, ServerB, "ACK", within("pc"), after("F29"), pc),
			arrow("F31", ServerB, ServerA, "ACK", passes("F30"), pc),
			arrow("F32", ServerA, AlicePC, "ACK", passes("F31"), pc),
			arrow("M1", AlicePC, BobPC, "SEND", msrp, after("F32"), pc, note("the established session")),
			arrow("M1r", BobPC, AlicePC, "200 SEND", msrp, answers("M1"), pc),
			arrow("F33", ServerA, ServerB, "CANCEL", onHop("F3"), after("F27"), phone),
			arrow("F34", ServerB, AlicePhone, "CANCEL", onHop("F5"), after("F33"), phone),
			arrow("F35", AlicePhone, ServerB, "200 CANCEL", answers("F34"), phone),
			arrow("F36", ServerB, ServerA, "200 CANCEL", answers("F33"), phone),
			arrow("F37", AlicePhone, ServerB, "487 INVITE", answers("F5"), within("phone"), after("F34"), phone),
			arrow("F38", ServerB, ServerA, "487 INVITE", relays("F37", "F3"), phone),
			arrow("F39", ServerA, ServerB, "ACK", onHop("F3"), after("F38"), phone),
			arrow("F40", ServerB, AlicePhone, "ACK", onHop("F5"), after("F37"), phone),
		},
		Checks: join(
			offer("F1"),
			one("F2", requestURI("alice", ""), routeTo(ServerA), recordRoute(ServerB), asserted("bob"), bodyOf("F1", "o")),
			one("F3", requestURI("alice", ServerB), recordRoute(ServerA), asserted("bob"), bodyOf("F2", "o")),
			one("F4", at(AlicePC), bodyOf("F2", "o"), allows("alice", "bob", "")),
			one("F5", at(AlicePhone), bodyOf("F3", "o")),
			answerAndEarlyOffer("F6", AlicePC), answerAndEarlyOffer("F7", AlicePhone),
			one("F8", bodyOf("F7", "a1 and eo1")), one("F9", bodyOf("F6", "a2 and eo2")),
			one("F10", bodyOf("F9", "a2 and eo2")), one("F17", bodyOf("F8", "a1 and eo1")),
			earlyAnswer("F11", "F10"), one("F12", unasserted), one("F13", rack("F6")),
			earlyAnswer("F19", "F18"), one("F20", unasserted), one("F21", unasserted), one("F22", rack("F7")),
			text("E1", "R u there", "F6", "early-session"), text("E2", "R u there", "F7", "early-session"),
			one("F27", noEarlySession), one("F30", noBody), one("F31", unasserted),
			text("M1", yes, "F1", "session"),
			one("F33", oneVia), one("F34", oneVia), one("F35", oneVia), one("F36", oneVia), one("F39", oneVia), one("F40", oneVia),
		),
		prepare: parts(hungUp, loggedIn), act: rings("F16", "E1r", "F26", "E2r"),
	})
}

// peerIM is 4.2.2.3: the server that the call came from rings all of it.
func peerIM() Flow {
	pc, phone := leg(AlicePC), leg(AlicePhone)
	return build(Flow{
		ID: "4.2.2.3", Slug: "peer/im", Title: "Bob sends an instant message to Alice", Model: "peer",
		Needs: "4.2.2.1; Alice allows Bob",
		Messages: []Message{
			arrow("F1", BobPC, ServerB, "INVITE", opens("session"), note("offer o, Supported: early-session, 100rel")),
			arrow("F2", ServerB, ServerA, "INVITE", passes("F1"), pc,
				note("drawn (o), in effect o1; Request-URI alice@server-a: deliver to your own devices")),
			arrow("F3", ServerB, AlicePhone, "INVITE", passes("F1"), phone, note("o2")),
			arrow("F4", ServerA, AlicePC, "INVITE", passes("F2"), pc, note("o1")),
			arrow("F5", AlicePC, ServerA, "183 INVITE", early("F4", "pc"), pc, note("a1 + eo1, multipart/mixed")),
			arrow("F6", AlicePhone, ServerB, "183 INVITE", early("F3", "phone"), phone, note("a2 + eo2")),
			arrow("F7", ServerA, ServerB, "183 INVITE", relays("F5", "F2"), pc, note("a1 + eo1")),
			arrow("F8", ServerB, BobPC, "183 INVITE", relays("F7", "F1"), pc, note("a1 + eo1")),
			arrow("F9", BobPC, ServerB, "PRACK", within("pc"), after("F8"), pc, note("ea1")),
			arrow("F10", ServerB, ServerA, "PRACK", passes("F9"), pc),
			arrow("F11", ServerA, AlicePC, "PRACK", passes("F10"), pc),
			arrow("F12", AlicePC, ServerA, "200 PRACK", answers("F11"), pc),
			arrow("F13", ServerA, ServerB, "200 PRACK", relays("F12", "F10"), pc),
			arrow("F14", ServerB, BobPC, "200 PRACK", relays("F13", "F9"), pc),
			arrow("E1", BobPC, AlicePC, "SEND", msrp, after("F9"), pc, note(`early session: "R u there"`)),
			arrow("E1r", AlicePC, BobPC, "200 SEND", msrp, answers("E1"), pc),
			arrow("F16", ServerB, BobPC, "183 INVITE", relays("F6", "F1"), phone, note("a2 + eo2 (the draft has no F15)")),
			arrow("F17", BobPC, ServerB, "PRACK", within("phone"), after("F16"), phone, note("ea2")),
			arrow("F18", ServerB, AlicePhone, "PRACK", passes("F17"), phone),
			arrow("F19", AlicePhone, ServerB, "200 PRACK", answers("F18"), phone),
			arrow("F20", ServerB, BobPC, "200 PRACK", relays("F19", "F17"), phone),
			arrow("E2", BobPC, AlicePhone, "SEND", msrp, after("F17"), phone, note(`early session: "R u there"`)),
			arrow("E2r", AlicePhone, BobPC, "200 SEND", msrp, answers("E2"), phone),
			arrow("F21", AlicePC, ServerA, "200 INVITE", answers("F4"), within("pc"), after("E1", "F12"), pc, note("Alice answers on her PC")),
			arrow("F22", ServerA, ServerB, "200 INVITE", relays("F21", "F2"), pc),
			arrow("F23", ServerB, BobPC, "200 INVITE", relays("F22", "F1"), pc),
			arrow("F24", BobPC, ServerB, "ACK", within("pc"), after("F23"), pc),
			arrow("F25", ServerB, ServerA, "ACK", passes("F24"), pc),
			arrow("F26", ServerA, AlicePC, "ACK", passes("F25"), pc),
			arrow("M1", AlicePC, BobPC, "SEND", msrp, after("F26"), pc, note("the established session")),
			arrow("M1r", BobPC, AlicePC, "200 SEND", msrp, answers("M1"), pc),
			arrow("F27", ServerB, AlicePhone, "CANCEL", onHop("F3"), after("F22"), phone),
			arrow("F28", AlicePhone, ServerB, "200 CANCEL", answers("F27"), phone),
			arrow("F29", AlicePhone, ServerB, "487 INVITE", answers("F3"), within("phone"), after("F27"), phone),
			arrow("F30", ServerB, AlicePhone, "ACK", onHop("F3"), after("F29"), phone),
		},
		Checks: join(
			offer("F1"),
			one("F2", requestURI("alice", ServerA), recordRoute(ServerB), asserted("bob"), bodyOf("F1", "o")),
			one("F3", at(AlicePhone), bodyOf("F1", "o"), allows("alice", "bob", "")),
			one("F4", at(AlicePC), bodyOf("F2", "o")),
			answerAndEarlyOffer("F5", AlicePC), answerAndEarlyOffer("F6", AlicePhone),
			one("F7", bodyOf("F5", "a1 and eo1")), one("F8", bodyOf("F7", "a1 and eo1")), one("F16", bodyOf("F6", "a2 and eo2")),
			earlyAnswer("F9", "F8"), one("F10", unasserted), one("F11", rack("F5")),
			earlyAnswer("F17", "F16"), one("F18", rack("F6")),
			text("E1", "R u there", "F5", "early-session"), text("E2", "R u there", "F6", "early-session"),
			one("F21", noEarlySession), one("F24", noBody), one("F25", unasserted),
			text("M1", yes, "F1", "session"),
			one("F27", oneVia), one("F28", oneVia), one("F30", oneVia),
		),
		prepare: parts(hungUp, alicePublished, registered(BobPC)), act: rings("F14", "E1r", "F20", "E2r"),
	})
}

const yes = "Yes, I am here"

// rings has Bob call, and Alice answer on her PC once both of her devices have
// shown what he wrote, which these messages tell.
func rings(shown ...string) part {
	call := act(BobPC, func(ctx context.Context, a Actor) error { return a.IM(ctx, "alice", "R u there") })
	answer := act(AlicePC, func(ctx context.Context, a Actor) error { return a.Reply(ctx, "bob", yes) })
	return func(ctx context.Context, r *Runner) error {
		r.talking = true
		return beside(call, parts(seen(shown...), answer))(ctx, r)
	}
}
