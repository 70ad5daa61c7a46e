package flow

import "presfed/pidf"

const hierarchical = "hierarchical, root server-a"

// login is 4.2.1.1.
func login() Flow {
	phone := alices(pidf.MatchEqual, nil, alicesVoice(pidf.Open), alicesText(pidf.Open))
	return build(Flow{
		ID: "4.2.1.1", Slug: "hierarchical/login", Title: "Alice logs into her client", Model: hierarchical,
		Needs: "Alice's devices registered; nothing published",
		Messages: []Message{
			arrow("F1", AlicePhone, ServerB, "PUBLISH", opens("phone"), note("Request-URI alice@server-b; two tuples: audio, text")),
			arrow("F2", ServerB, AlicePhone, "200 PUBLISH", answers("F1")),
			arrow("F2b", AlicePC, ServerA, "PUBLISH", opens("pc"), after("F2"), note("drawn as a second F2; Request-URI alice@server-a")),
			arrow("F3", ServerA, AlicePC, "200 PUBLISH", answers("F2b")),
			arrow("F4", AlicePC, ServerA, "SUBSCRIBE", opens("self"), after("F3"), note("self")),
			arrow("F5", ServerA, AlicePC, "200 SUBSCRIBE", answers("F4")),
			arrow("F6", ServerA, ServerB, "SUBSCRIBE", opens("back-end"), after("F4"),
				note("back-end: Request-URI alice@server-b, P-Asserted-Identity alice")),
			arrow("F7", ServerB, ServerA, "200 SUBSCRIBE", answers("F6")),
			arrow("F8", ServerB, ServerA, "NOTIFY", within("back-end"), after("F6"), note("only what server-b itself holds for alice")),
			arrow("F9", ServerA, ServerB, "200 NOTIFY", answers("F8")),
			arrow("F10", ServerA, AlicePC, "NOTIFY", within("self"), after("F8"), note("composed: pc tuple and both phone tuples")),
			arrow("F11", AlicePC, ServerA, "200 NOTIFY", answers("F10")),
		},
		Checks: join(
			one("F1", uploads("alice", ServerB)),
			document("F1", phone),
			one("F2b", uploads("alice", ServerA)),
			document("F2b", alices(pidf.MatchEqual, active, inUse(alicesPC(pidf.Open)))),
			one("F4", requestURI("alice", ""), from("alice", "")),
			one("F6", requestURI("alice", ServerB), from("alice", ServerA), asserted("alice")),
			one("F8", isPIDF),
			document("F8", phone),
			one("F10", isPIDF, composedOf("F2b", "F8")),
			document("F10", alicesAll(active)),
		),
		prepare: parts(hungUp, ignores(BobPC, "alice"), ignores(AlicePC, "alice"), unasked(ServerA, ServerB), free, silent(AlicePC), silent(AlicePhone),
			registered(AlicePC, AlicePhone)),
		act: parts(phoneIs(pidf.Open), aliceIs(pidf.StatusOpen, "I am Active"), watches(AlicePC, "alice")),
	})
}

// alicesAll is her union, as she is seen who sits at her PC.
func alicesAll(person *pidf.ExpectPerson) pidf.Expect {
	return alices(pidf.MatchEqual, person, inUse(alicesPC(pidf.Open)), alicesText(pidf.Open), alicesVoice(pidf.Open))
}

// rootAddBuddy is 4.2.1.2.
func rootAddBuddy() Flow {
	return build(Flow{
		ID: "4.2.1.2", Slug: "hierarchical/add-buddy", Title: "Bob adds Alice to his buddy list", Model: hierarchical,
		Needs: `4.2.1.1, with the PC's note "I am Active" published`,
		Messages: []Message{
			arrow("F1", BobPC, ServerB, "SUBSCRIBE", opens("watch")),
			arrow("F2", ServerB, ServerA, "SUBSCRIBE", passes("F1"), note("server-b holds state for alice but is not the root")),
			arrow("F3", ServerA, ServerB, "200 SUBSCRIBE", answers("F2"), note("after Alice's policy allows Bob")),
			arrow("F4", ServerB, BobPC, "200 SUBSCRIBE", relays("F3", "F1")),
			arrow("F5", ServerA, ServerB, "NOTIFY", within("watch"), after("F2"), note("composed document")),
			arrow("F6", ServerB, BobPC, "NOTIFY", passes("F5")),
			arrow("F7", BobPC, ServerB, "200 NOTIFY", answers("F6")),
			arrow("F8", ServerB, ServerA, "200 NOTIFY", relays("F7", "F5"), after("F5")),
		},
		Checks: join(
			one("F2", requestURI("alice", ""), routeTo(ServerA), recordRoute(ServerB), asserted("bob"), sameContact("F1")),
			one("F3", allows("alice", "bob", "F5")),
			one("F5", requestIsContact("F2", "bob"), routed(ServerB, "F2"), asserted("alice"), isPIDF),
			document("F5", alicesAll(active)),
			one("F6", recordRoute(ServerB)),
			document("F6", alicesAll(active)),
		),
		prepare: parts(hungUp, ignores(BobPC, "alice"), loggedIn), act: watches(BobPC, "alice"),
	})
}

// meeting is 4.2.1.3.
func meeting() Flow {
	voiceless := alices(pidf.MatchContains, nil, alicesVoice(pidf.Closed), alicesText(pidf.Open))
	composed := alices(pidf.MatchEqual, busy, alicesPC(pidf.Open), alicesVoice(pidf.Closed), alicesText(pidf.Open))
	begun := alices(pidf.MatchContains, calendar, alicesPC(pidf.Open))
	return build(Flow{
		ID: "4.2.1.3", Slug: "hierarchical/meeting", Title: "Alice dials in to a meeting from her phone", Model: hierarchical,
		Needs: "4.2.1.2; NOTIFYs to alice-pc happen and are not drawn",
		Messages: []Message{
			arrow("F1", Calendar, ServerA, "PUBLISH", opens("meeting"), note(`drawn as "Meeting", protocol and arrow head left open`)),
			arrow("F2", ServerA, Calendar, "200 PUBLISH", answers("F1"), note(`drawn as "Resp"`)),
			arrow("F3", ServerA, ServerB, "NOTIFY", within("watch"), after("F1"), note(`person busy, class calendar, note "I am in a Meeting"`)),
			arrow("F4", ServerB, BobPC, "NOTIFY", passes("F3")),
			arrow("F5", ServerB, ServerA, "200 NOTIFY", answers("F3")),
			arrow("F6", BobPC, ServerB, "200 NOTIFY", answers("F4")),
			arrow("F7", AlicePhone, ServerB, "PUBLISH", opens("phone"), after("F6"), note("phone audio tuple closed")),
			arrow("F8", ServerB, AlicePhone, "200 PUBLISH", answers("F7")),
			arrow("F9", ServerB, ServerA, "NOTIFY", within("back-end"), after("F7"), note("on the back-end subscription")),
			arrow("F10", ServerA, ServerB, "200 NOTIFY", answers("F9")),
			arrow("F11", ServerA, ServerB, "NOTIFY", within("watch"), after("F9"),
				note("composed: busy person, pc open, phone audio closed, phone text open")),
			arrow("F12", ServerB, ServerA, "200 NOTIFY", answers("F11")),
			arrow("F13", ServerB, BobPC, "NOTIFY", passes("F11")),
			arrow("F14", BobPC, ServerB, "200 NOTIFY", answers("F13")),
		},
		Checks: join(
			one("F1", uploads("alice", ServerA)),
			document("F3", begun), document("F4", begun),
			document("F7", voiceless),
			one("F9", requestURI("alice", ServerA)),
			document("F9", voiceless),
			document("F11", composed), document("F13", composed),
		),
		standing: []standing{{"watch", BobPC, ServerB, "SUBSCRIBE"}, {"back-end", ServerA, ServerB, "SUBSCRIBE"}},
		aside:    []aside{{ServerA, AlicePC, "NOTIFY"}},
		prepare:  parts(hungUp, loggedIn, watches(BobPC, "alice")),
		act:      parts(meets, seen("F6"), phoneIs(pidf.Closed)),
	})
}
