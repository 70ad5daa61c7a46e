package flow

import "context"

// instantMessage is 4.1.4.
func instantMessage() Flow {
	return build(Flow{
		ID: "4.1.4", Slug: "partitioned/im", Title: "Alice initiates instant messaging with Bob", Model: "partitioned",
		Needs: "both registered; Bob allows Alice",
		Messages: []Message{
			arrow("F1", AlicePC, ServerA, "INVITE", opens("session"), note("SDP m=message, a=path of alice-pc")),
			arrow("F2", ServerA, ServerB, "INVITE", passes("F1"),
				note("Request-URI bob@server-b, Record-Route server-a, P-Asserted-Identity alice")),
			arrow("F3", ServerB, BobPC, "INVITE", passes("F2"), note("after Bob's policy allows Alice")),
			arrow("F4", BobPC, ServerB, "200 INVITE", answers("F3"), note("SDP answer, a=path of bob-pc")),
			arrow("F5", ServerB, ServerA, "200 INVITE", relays("F4", "F2")),
			arrow("F6", ServerA, AlicePC, "200 INVITE", relays("F5", "F1")),
			arrow("F7", AlicePC, ServerA, "ACK", within("session"), after("F6")),
			arrow("F8", ServerA, ServerB, "ACK", passes("F7")),
			arrow("F9", ServerB, BobPC, "ACK", passes("F8")),
			arrow("F10", AlicePC, BobPC, "SEND", msrp, after("F6")),
			arrow("F11", BobPC, AlicePC, "200 SEND", msrp, answers("F10")),
			arrow("F12", BobPC, AlicePC, "SEND", msrp, after("F10")),
			arrow("F13", AlicePC, BobPC, "200 SEND", msrp, answers("F12")),
			arrow("F14", AlicePC, ServerA, "BYE", within("session"), after("F13")),
			arrow("F15", ServerA, ServerB, "BYE", passes("F14")),
			arrow("F16", ServerB, BobPC, "BYE", passes("F15")),
			arrow("F17", BobPC, ServerB, "200 BYE", answers("F16")),
			arrow("F18", ServerB, ServerA, "200 BYE", relays("F17", "F15")),
			arrow("F19", ServerA, AlicePC, "200 BYE", relays("F18", "F14")),
		},
		Checks: join(
			one("F1", describesMessages, pathOf(AlicePC)),
			one("F2", requestURI("bob", ServerB), recordRoute(ServerA), asserted("alice")),
			one("F3", allows("bob", "alice", "")),
			one("F4", describesMessages, pathOf(BobPC)),
		),
		prepare: registered(AlicePC, BobPC, BobPhone),
		act: parts(
			act(AlicePC, func(ctx context.Context, a Actor) error { return a.IM(ctx, "bob", "R u there") }),
			act(BobPC, func(ctx context.Context, a Actor) error { return a.Reply(ctx, "alice", yes) }),
			act(AlicePC, func(ctx context.Context, a Actor) error { return a.Bye(ctx, "bob") }),
		),
	})
}
