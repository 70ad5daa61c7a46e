package flow

import "presfed/pidf"

// doNotDisturb is 4.1.3. Its drawn document still shows the person of 4.1.2; what
// it is about is that every tuple is closed.
func doNotDisturb() Flow {
	return build(Flow{
		ID: "4.1.3", Slug: "partitioned/dnd", Title: "Bob sets his state to Do Not Disturb",
		Model: "partitioned", Needs: "4.1.1",
		Messages: published("every tuple closed"),
		Checks: join(
			document("F3", bobsDocument("do-not-disturb", "", "closed")),
			document("F4", bobsDocument("do-not-disturb", "", "closed")),
		),
		standing: watching, prepare: parts(partitioned, watches(AlicePC, "bob")), act: bobIs(pidf.StatusDND, ""),
	})
}
