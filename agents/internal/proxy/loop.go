package proxy

import (
	"hash/maphash"
	"strings"
	"sync"

	"presfed/agents/internal/message"
)

// loopValue is RFC 5393 section 4.2.1's second part: it varies with all that
// decides where the request goes, Route included, for a spiral may cross us
// twice with one Request-URI; and, so that a collision is not repeated, with
// the transaction. It does not vary with the method, and never leaves this process.
func loopValue(req *message.Request, origin string) uint64 {
	cseq, _ := message.CSeqOf(req)
	var h maphash.Hash
	h.SetSeed(loopSeed)
	add := func(part string) {
		maphash.WriteComparable(&h, len(part))
		_, _ = h.WriteString(part)
	}
	maphash.WriteComparable(&h, cseq.Seq)
	add(origin)
	var uri [256]byte
	add(string(message.AppendURI(uri[:0], req.Recipient)))
	add(message.CallID(req))
	for _, route := range message.Values(req, "Route") {
		add(route)
	}
	return h.Sum64()
}

var loopSeed = maphash.MakeSeed()

// loops remembers the loop value for each branch that waits for a response. A
// looping request comes back while its own branch waits, so that nothing needs
// to be written into the branch parameter.
type loops struct {
	mu    sync.Mutex
	value map[string]uint64 // by branch parameter
}

func (l *loops) put(branch string, value uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.value == nil {
		l.value = map[string]uint64{}
	}
	l.value[branch] = value
}

func (l *loops) remove(branch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.value, branch)
}

// seen says whether req has been here before with nothing changed that matters
// (RFC 5393 section 4.2.2).
func (l *loops) seen(req *message.Request, value uint64) bool {
	vias := message.Values(req, "Via")
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range vias {
		branch := branchOf(v)
		if there, ok := l.value[branch]; ok && there == value {
			return true
		}
	}
	return false
}

// branchOf finds the branch parameter without judging the rest of the Via,
// which another element wrote in its own way (RFC 5393 section 4.2.4).
func branchOf(via string) string {
	for param := range strings.SplitSeq(via, ";") {
		if name, value, ok := strings.Cut(param, "="); ok && strings.EqualFold(name, "branch") {
			if end := strings.IndexAny(value, " \t,"); end >= 0 {
				value = value[:end]
			}
			return value
		}
	}
	return ""
}
