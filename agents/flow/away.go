package flow

import "presfed/pidf"

// away is 4.1.2.
func away() Flow {
	return build(Flow{
		ID: "4.1.2", Slug: "partitioned/away", Title: "Bob changes his presence state to Away on his IM client",
		Model: "partitioned", Needs: "4.1.1",
		Messages: published("person away, tuples stay open"),
		Checks: join(
			document("F3", bobsDocument("away", "I am Away from my computer now", "open")),
			document("F4", bobsDocument("away", "I am Away from my computer now", "open")),
		),
		standing: watching, prepare: parts(partitioned, watches(AlicePC, "bob")), act: bobIs(pidf.StatusAway, "I am Away from my computer now"),
	})
}

// published is what 4.1.2 and 4.1.3 draw: a publication, and the watcher told.
func published(document string) []Message {
	return []Message{
		arrow("F1", BobPC, ServerB, "PUBLISH", opens("publication")),
		arrow("F2", ServerB, BobPC, "200 PUBLISH", answers("F1")),
		arrow("F3", ServerB, ServerA, "NOTIFY", within("watch"), after("F1"), note(document)),
		arrow("F4", ServerA, AlicePC, "NOTIFY", passes("F3")),
		arrow("F5", ServerA, ServerB, "200 NOTIFY", answers("F3")),
		arrow("F6", AlicePC, ServerA, "200 NOTIFY", answers("F4")),
	}
}

// watching is the subscription that 4.1.1 leaves behind.
var watching = []standing{{"watch", AlicePC, ServerA, "SUBSCRIBE"}}
