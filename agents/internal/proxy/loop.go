package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"presfed/agents/internal/message"
)

// loopValue is RFC 5393 section 4.2.1's second part: it varies with all that
// decides where the request goes, Route included, for a spiral may cross us
// twice with one Request-URI; and, so that a collision is not repeated, with
// the transaction. It does not vary with the method.
func loopValue(req *message.Request, origin string) string {
	cseq, _ := message.CSeqOf(req)
	h := sha256.New()
	for _, part := range append([]string{
		origin, req.Recipient.String(), message.CallID(req), strconv.FormatUint(uint64(cseq.Seq), 10),
	}, message.Values(req, "Route")...) {
		h.Write([]byte(strconv.Itoa(len(part))))
		h.Write([]byte{':'})
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// loops remembers the loop value for each branch that waits for a response. A
// looping request comes back while its own branch waits, so that nothing needs
// to be written into the branch parameter.
type loops struct {
	mu    sync.Mutex
	value map[string]string // by branch parameter
}

func (l *loops) put(branch, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.value == nil {
		l.value = map[string]string{}
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
func (l *loops) seen(req *message.Request, value string) bool {
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
	i := strings.Index(strings.ToLower(via), ";branch=")
	if i < 0 {
		return ""
	}
	via = via[i+len(";branch="):]
	if end := strings.IndexAny(via, "; \t,"); end >= 0 {
		via = via[:end]
	}
	return via
}
