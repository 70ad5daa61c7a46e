package proxy

import (
	"strconv"

	"presfed/agents/internal/message"
)

// maxBreadth is both what a request without Max-Breadth gets and the most that
// one may bring (RFC 5393 section 5.3.3).
const maxBreadth = 60

// breadthOf is the request's incoming Max-Breadth; 0 lets it go nowhere. The
// endpoint has refused what is no number.
func breadthOf(req *message.Request) int {
	n, err := strconv.Atoi(message.Get(req, "Max-Breadth"))
	if err != nil { // missing, or too many digits for a number of ours
		return maxBreadth
	}
	return min(n, maxBreadth)
}

// shares divides breadth among n branches; nil where it does not suffice. What is
// left over goes to the last ones: servers, which may fork on, come after devices.
func shares(breadth, n int) []int {
	if n < 1 || breadth < n {
		return nil
	}
	out := make([]int, n)
	for i := range out {
		out[i] = breadth / n
		if i >= n-breadth%n {
			out[i]++
		}
	}
	return out
}
