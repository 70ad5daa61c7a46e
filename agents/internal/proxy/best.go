package proxy

import (
	"cmp"
	"slices"

	"presfed/agents/internal/message"
)

// best chooses among final responses (section 16.7 step 6): a 6xx if there is
// one, else of the lowest class; within 4xx first those that tell the client
// what to do better; an answer that says more than that nobody answered before
// one that does not.
func best(finals []*message.Response) *message.Response {
	return slices.MinFunc(finals, func(a, b *message.Response) int {
		return cmp.Or(cmp.Compare(classRank(a.StatusCode), classRank(b.StatusCode)),
			cmp.Compare(statusRank(a.StatusCode), statusRank(b.StatusCode)))
	})
}

func classRank(status int) int {
	if status >= 600 {
		return 0
	}
	return status / 100
}

func statusRank(status int) int {
	switch status {
	case 401, 407, 415, 420, 484:
		return 0
	case 408, 487, 503: // time ran out, we cancelled it, it was not reached
		return 2
	}
	return 1
}

// gatherChallenges puts the challenges of every 401 and 407 into the one that
// goes upstream (section 16.7 step 7; RFC 8760 section 2.5 keeps their order).
func gatherChallenges(chosen *message.Response, finals []*message.Response) *message.Response {
	for _, other := range finals {
		if other == chosen || other.StatusCode != 401 && other.StatusCode != 407 {
			continue
		}
		for _, field := range [...]string{"WWW-Authenticate", "Proxy-Authenticate"} {
			for _, v := range message.Raw(other, field) {
				message.Add(chosen, field, v)
			}
		}
	}
	return chosen
}
