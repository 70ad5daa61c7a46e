package trace

import (
	"cmp"
	"crypto/sha256"
	"net/netip"
	"slices"

	"presfed/agents/internal/wire"
)

// Pair makes messages of records: what the sender's and the receiver's sockets
// recorded of the same bytes is one message. They come in order of time.
func Pair(records []Record) []Message {
	p := newPairing()
	return p.nameMethods(p.pair(records))
}

// pairing remembers, over several calls, who is where and which MSRP requests
// wait for their responses.
type pairing struct {
	*names
	pending map[msrpKey]string // method by transaction
}

// maxPending bounds the MSRP requests that wait for a response.
const maxPending = 1 << 16

// msrpKey finds a response's request: it travels the other way.
type msrpKey struct {
	transaction string
	src, dst    netip.AddrPort
}

func newPairing() *pairing { return &pairing{names: newNames(), pending: map[msrpKey]string{}} }

// sameBytes is what both ends of a message agree on, whatever an address looks
// like from either side.
type sameBytes struct {
	protocol  Protocol
	transport string
	sum       [sha256.Size]byte
}

func (p *pairing) pair(records []Record) []Message {
	for i := range records {
		p.learn(&records[i])
	}
	received := map[sameBytes][]*Record{}
	keys := make([]sameBytes, len(records))
	for i := range records {
		r := &records[i]
		keys[i] = sameBytes{r.Protocol, r.Transport, sha256.Sum256(r.Raw)}
		if r.Direction == wire.In {
			received[keys[i]] = append(received[keys[i]], r)
		}
	}
	partner := make([]*Record, len(records))
	taken := map[*Record]bool{}
	// Exact addresses first: a message and its retransmission, or the same bytes
	// on two connections, must not be taken for each other.
	for _, fits := range []func(out, in *Record) bool{sameAddresses, similarAddresses} {
		for i := range records {
			if records[i].Direction != wire.Out || partner[i] != nil {
				continue
			}
			for _, in := range received[keys[i]] {
				if !taken[in] && fits(&records[i], in) {
					partner[i], taken[in] = in, true
					break
				}
			}
		}
	}
	messages := make([]Message, 0, len(records))
	for i := range records {
		r := &records[i]
		switch {
		case r.Direction == wire.Out:
			messages = append(messages, p.message(r, partner[i]))
		case !taken[r]:
			messages = append(messages, p.message(nil, r))
		}
	}
	slices.SortStableFunc(messages, func(a, b Message) int { return a.Time.Compare(b.Time) })
	return messages
}

func sameAddresses(out, in *Record) bool {
	return unmapped(out.Src) == unmapped(in.Src) && unmapped(out.Dst) == unmapped(in.Dst)
}

// similarAddresses allows a sender that does not know its own address: a
// datagram socket bound to none.
func similarAddresses(out, in *Record) bool {
	return unmapped(out.Dst) == unmapped(in.Dst) && out.Src.Port() == in.Src.Port() &&
		(!out.Src.IsValid() || out.Src.Addr().IsUnspecified())
}

func (p *pairing) message(sent, received *Record) Message {
	r := cmp.Or(received, sent) // the receiver knows both addresses
	m := Message{
		Src: unmapped(r.Src), Dst: unmapped(r.Dst), Transport: r.Transport, Protocol: r.Protocol,
		Time: r.Time, Raw: r.Raw, Sent: sent, Received: received, Head: readHead(r.Protocol, r.Raw),
	}
	if sent != nil && sent.Time.Before(m.Time) {
		m.Time = sent.Time
	}
	if sent != nil {
		m.From = sent.Participant
		p.add(sent.Participant, m.Src)
	} else {
		m.From = p.name(m.Src)
		m.Lost = p.watched[m.From]
	}
	if received != nil {
		m.To = received.Participant
	} else {
		m.To = p.name(m.Dst)
		m.Lost = p.watched[m.To]
	}
	return m
}

// nameMethods gives MSRP responses their requests' methods: they do not say
// them themselves. Each message may pass once only.
func (p *pairing) nameMethods(messages []Message) []Message {
	for i := range messages {
		m := &messages[i]
		if m.Protocol != MSRP || m.Transaction == "" {
			continue
		}
		if m.Status == 0 {
			if len(p.pending) >= maxPending {
				clear(p.pending) // requests that want no response stay for ever
			}
			p.pending[msrpKey{m.Transaction, m.Src, m.Dst}] = m.Method
			continue
		}
		request := msrpKey{m.Transaction, m.Dst, m.Src}
		if m.Method == "" {
			m.Method = p.pending[request]
		}
		delete(p.pending, request)
	}
	return messages
}
