package flow

import "presfed/pidf"

// peerAddBuddy is 4.2.2.1.
func peerAddBuddy() Flow {
	return build(Flow{
		ID: "4.2.2.1", Slug: "peer/add-buddy", Title: "Bob adds Alice to his buddy list", Model: "peer",
		Needs: "Alice's phone published at server-b, her PC at server-a",
		Messages: []Message{
			arrow("F1", BobPC, ServerB, "SUBSCRIBE", opens("watch"), note("Request-URI alice@domain: server-b acts as root for its own watcher")),
			arrow("F2", ServerB, BobPC, "200 SUBSCRIBE", answers("F1")),
			arrow("F3", ServerB, ServerA, "SUBSCRIBE", opens("back-end"), after("F1"),
				note("back-end: Request-URI alice@server-a, From alice@server-b, P-Asserted-Identity alice")),
			arrow("F4", ServerA, ServerB, "200 SUBSCRIBE", answers("F3")),
			arrow("F5", ServerA, ServerB, "NOTIFY", within("back-end"), after("F3"), note("only what server-a itself holds for alice")),
			arrow("F6", ServerB, ServerA, "200 NOTIFY", answers("F5")),
			arrow("F7", ServerB, BobPC, "NOTIFY", within("watch"), after("F5"), note("composed: both phone tuples and the pc tuple")),
			arrow("F8", BobPC, ServerB, "200 NOTIFY", answers("F7")),
		},
		Checks: join(
			one("F1", requestURI("alice", "")),
			one("F3", requestURI("alice", ServerA), from("alice", ServerB), asserted("alice")),
			one("F5", isPIDF),
			document("F5", alices(pidf.MatchEqual, active, alicesPC(pidf.Open))),
			one("F7", isPIDF),
			document("F7", alices(pidf.MatchEqual, active, alicesText(pidf.Open), alicesVoice(pidf.Open), alicesPC(pidf.Open))),
		),
		prepare: parts(hungUp, ignores(BobPC, "alice"), unasked(ServerB, ServerA), alicePublished, registered(BobPC)), act: watches(BobPC, "alice"),
	})
}

// peerDND is 4.2.2.2.
func peerDND() Flow {
	return build(Flow{
		ID: "4.2.2.2", Slug: "peer/dnd", Title: "Alice sets her status to Do Not Disturb", Model: "peer",
		Needs: "4.2.2.1, and server-a's own-share subscription at server-b for Alice's own view; PUBLISH alice-pc to server-a starts it and is not drawn",
		Messages: []Message{
			arrow("F1", ServerA, ServerB, "NOTIFY", within("back-end"), note("back-end: do-not-disturb, pc tuple closed")),
			arrow("F2", ServerB, ServerA, "200 NOTIFY", answers("F1")),
			arrow("F3", ServerB, BobPC, "NOTIFY", within("watch"), after("F1"), note("composed: every tuple closed, the phone's too")),
			arrow("F4", ServerB, ServerA, "NOTIFY", within("self"), after("F1"), note("self: on server-a's subscription for Alice's own view")),
			arrow("F5", BobPC, ServerB, "200 NOTIFY", answers("F3")),
			arrow("F6", ServerA, ServerB, "200 NOTIFY", answers("F4")),
		},
		Checks: join(
			one("F1", requestURI("alice", ServerB)),
			document("F1", alices(pidf.MatchEqual, fixing, alicesPC(pidf.Closed))),
			document("F3", alices(pidf.MatchEqual, fixing, alicesPC(pidf.Closed), alicesVoice(pidf.Closed), alicesText(pidf.Closed))),
			one("F4", requestURI("alice", ServerA)),
			document("F4", alices(pidf.MatchEqual, nil, alicesVoice(pidf.Closed), alicesText(pidf.Closed))),
		),
		standing: []standing{
			{"watch", BobPC, ServerB, "SUBSCRIBE"}, {"back-end", ServerB, ServerA, "SUBSCRIBE"}, {"self", ServerA, ServerB, "SUBSCRIBE"},
		},
		aside:   []aside{{AlicePC, ServerA, "PUBLISH"}, {ServerA, AlicePC, "NOTIFY"}},
		prepare: parts(hungUp, alicePublished, registered(BobPC), watches(BobPC, "alice"), watches(AlicePC, "alice")),
		act:     aliceIs(pidf.StatusDND, "Busy fixing critical defect"),
	})
}
