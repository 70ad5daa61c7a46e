package client

import (
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// The ways in which nothing comes back from a server.
var (
	ErrTimeout   = sip.ErrTimeout       // no final response in time
	ErrTransport = sip.ErrTransport     // refused, broken, or not the peer that was meant
	ErrNoAddress = resolve.ErrNoAddress // the server's name leads nowhere
)
