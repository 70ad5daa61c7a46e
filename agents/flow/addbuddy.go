package flow

// addBuddy is 4.1.1.
func addBuddy() Flow {
	return build(Flow{
		ID: "4.1.1", Slug: "partitioned/add-buddy", Title: "Alice adds Bob to her buddy list", Model: "partitioned",
		Needs: "Alice's PC registered at server-a, Bob's devices registered and published at server-b, Bob allows Alice",
		Messages: []Message{
			arrow("F1", AlicePC, ServerA, "SUBSCRIBE", opens("watch"), note("Request-URI bob@domain")),
			arrow("F2", ServerA, ServerB, "SUBSCRIBE", passes("F1"),
				note("Request-URI bob@server-b, Record-Route server-a, P-Asserted-Identity alice")),
			arrow("F3", ServerA, AlicePC, "200 SUBSCRIBE", answers("F1")),
			arrow("F4", ServerB, ServerA, "200 SUBSCRIBE", answers("F2"), note("after Bob's policy allows Alice")),
			arrow("F5", ServerB, ServerA, "NOTIFY", within("watch"), after("F2"),
				note("Request-URI Alice's Contact, Route server-a, P-Asserted-Identity bob, PIDF")),
			arrow("F6", ServerA, AlicePC, "NOTIFY", passes("F5")),
			arrow("F7", AlicePC, ServerA, "200 NOTIFY", answers("F6")),
			arrow("F8", ServerA, ServerB, "200 NOTIFY", answers("F5")),
		},
		Checks: join(
			one("F1", requestURI("bob", "")),
			one("F2", requestURI("bob", ServerB), recordRoute(ServerA), asserted("alice"), sameContact("F1")),
			one("F4", allows("bob", "alice", "F5")),
			one("F5", requestIsContact("F2", "alice"), routed(ServerA, "F2"), asserted("bob"), isPIDF),
			document("F5", bobsDocument("available", "I am Active", "open")),
			one("F6", recordRoute(ServerA)),
			document("F6", bobsDocument("available", "I am Active", "open")),
		),
		prepare: parts(partitioned, ignores(AlicePC, "bob")), act: watches(AlicePC, "bob"),
	})
}
