package flow

import "presfed/pidf"

// The documents of the draft's messages. Ids are there to name a tuple in what a
// check has to say; the draft's own drift.

func expectedTuple(id string, basic pidf.Basic, priority float64, contact string, capabilities ...string) pidf.ExpectTuple {
	return pidf.ExpectTuple{ID: id, Capabilities: capabilities, Basic: basic, Priority: &priority, Contact: contact}
}

// bobsDocument is what a partitioned Bob shows: a PC for text, and a desk phone.
func bobsDocument(activity, note string, basic pidf.Basic) pidf.Expect {
	return pidf.Expect{
		Entity: "bob", Match: pidf.MatchEqual,
		Person: &pidf.ExpectPerson{Activities: []string{activity}, Note: note},
		Tuples: []pidf.ExpectTuple{
			expectedTuple("frh78", basic, 0.5, "sip:bob@example.com", "text", "text/plain"),
			expectedTuple("fahsaf-hfes-89saf", basic, 0.4, "sip:89991234@64.102.193.98", "audio"),
		},
	}
}

// Alice's tuples, each of one device.
func alicesPC(basic pidf.Basic) pidf.ExpectTuple {
	return expectedTuple("0983wqh", basic, 0.5, "sip:alice@example.com", "text", "text/plain")
}

func alicesVoice(basic pidf.Basic) pidf.ExpectTuple {
	return expectedTuple("fabfa341", basic, 0.8, "sip:85551234@64.102.224.56", "audio")
}

func alicesText(basic pidf.Basic) pidf.ExpectTuple {
	return expectedTuple("frh78", basic, 0.5, "sip:alice@example.com", "text", "text/plain")
}

// inUse has somebody at the keys (RFC 4480 section 3.6).
func inUse(t pidf.ExpectTuple) pidf.ExpectTuple {
	t.UserInput = "active"
	return t
}

// alices is a document of hers: person nil where none is required.
func alices(match pidf.Match, person *pidf.ExpectPerson, tuples ...pidf.ExpectTuple) pidf.Expect {
	return pidf.Expect{Entity: "alice", Match: match, Person: person, Tuples: tuples}
}

var (
	active   = &pidf.ExpectPerson{Activities: []string{"available"}, Note: "I am Active"}
	busy     = &pidf.ExpectPerson{Activities: []string{"busy"}, Note: "I am in a Meeting"}
	calendar = &pidf.ExpectPerson{Activities: []string{"busy"}, Note: "I am in a Meeting", Class: "calendar"}
	fixing   = &pidf.ExpectPerson{Activities: []string{"do-not-disturb"}, Note: "Busy fixing critical defect"}
)
