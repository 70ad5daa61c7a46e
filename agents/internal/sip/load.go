package sip

// Load is what an endpoint holds at a moment.
type Load struct {
	Connections                            int // TCP and TLS
	ClientTransactions, ServerTransactions int
	Queued                                 int // requests that wait for us alone
	Refused                                int // for overload, since the start
}

// Load counts; it may be asked at any time.
func (e *Endpoint) Load() Load {
	return Load{
		Connections:        e.pool.size(),
		ClientTransactions: int(e.clients.count.Load()),
		ServerTransactions: int(e.servers.count.Load()),
		Queued:             int(e.pressure.waiting.Load() + e.passing.waiting.Load()),
		Refused:            int(e.refused.Load()),
	}
}
