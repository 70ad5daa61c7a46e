package sip

// Load is what an endpoint holds at a moment.
type Load struct {
	Connections                            int // TCP and TLS
	ClientTransactions, ServerTransactions int
}

// Load counts; it may be asked at any time.
func (e *Endpoint) Load() Load {
	return Load{
		Connections:        e.pool.size(),
		ClientTransactions: int(e.clients.count.Load()),
		ServerTransactions: int(e.servers.count.Load()),
	}
}
