package dialog

import (
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// RAck is what a PRACK acknowledges: the RSeq and the CSeq of a reliable
// provisional response (RFC 3262 section 7.2).
type RAck struct {
	RSeq uint32
	CSeq message.CSeq
}

// String is the field's value.
func (a RAck) String() string { return strconv.FormatUint(uint64(a.RSeq), 10) + " " + a.CSeq.String() }

// RAckOf reads the field of a PRACK.
func RAckOf(prack *message.Request) (RAck, error) {
	value := message.Get(prack, "RAck")
	number, cseq, _ := strings.Cut(strings.TrimSpace(value), " ")
	n, err := parseRSeq(number)
	acked, cerr := message.ParseCSeq(strings.TrimSpace(cseq))
	if err != nil || cerr != nil {
		return RAck{}, &message.ParseError{Status: 400, Where: "RAck", What: "want RSeq number, CSeq number and method, have " + strconv.Quote(value)}
	}
	return RAck{n, acked}, nil
}

// parseRSeq reads 1 to 2^32-1 (section 7.1).
func parseRSeq(s string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil || n == 0 {
		return 0, &message.ParseError{Status: 400, Where: "RSeq", What: "want a number from 1 below 2^32, have " + strconv.Quote(s)}
	}
	return uint32(n), nil
}

// IsReliable says whether a response to INVITE asks for a PRACK (section 4): a
// 100 never does.
func IsReliable(res *message.Response) bool {
	return res.StatusCode > 100 && res.StatusCode < 200 && message.HasToken(res, "Require", "100rel")
}

// Owed is what a PRACK has to say to a response that Receive has taken. ok is
// false where none is due: the response is not reliable, it came before, or one
// before it is missing. Such a response must not be looked at further. The error
// is an RSeq that cannot be read.
func (f *Fork) Owed(res *message.Response) (owed RAck, ok bool, err error) {
	if !IsReliable(res) {
		return RAck{}, false, nil
	}
	n, err := parseRSeq(message.Get(res, "RSeq"))
	if err != nil {
		return RAck{}, false, err
	}
	cseq, err := message.CSeqOf(res)
	if err != nil {
		return RAck{}, false, err
	}
	to, err := message.To(res)
	d := f.byTag[to.Tag()]
	if err != nil || d == nil || d.Confirmed {
		return RAck{}, false, err
	}
	// Each branch of a fork counts for itself, from a number of its own.
	if last := f.rseq[to.Tag()]; last != 0 && n != last+1 {
		return RAck{}, false, nil
	}
	f.rseq[to.Tag()] = n
	return RAck{n, cseq}, true, nil
}
