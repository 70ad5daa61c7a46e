package server

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"presfed/agents/internal/wire"
)

// metrics are the numbers of a server that is asked for them: what crosses its
// sockets is counted by its tap, everything else is read when somebody asks.
type metrics struct {
	registry *prometheus.Registry
	messages *prometheus.CounterVec
	known    sync.Map // of messages, by direction and start line's word: the counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "presfed_sip_messages_total", Help: "SIP messages at the server's sockets; what is a request's method, or a response's status code.",
		}, []string{"direction", "transport", "what"}),
	}
	m.registry.MustRegister(m.messages, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// tap counts a message.
func (m *metrics) tap(r wire.Record) {
	type key struct {
		direction       wire.Direction
		transport, what string
	}
	k := key{r.Direction, r.Transport, whatOf(r.Raw)}
	counter, ok := m.known.Load(k)
	if !ok {
		counter, _ = m.known.LoadOrStore(k, m.messages.WithLabelValues(string(k.direction), k.transport, k.what))
	}
	counter.(prometheus.Counter).Inc()
}

// whatOf is a message's method or status code. What a peer invents is "other":
// it must not make labels.
func whatOf(raw []byte) string {
	word, rest, _ := bytes.Cut(raw, []byte(" "))
	if bytes.EqualFold(word, []byte("SIP/2.0")) {
		if code, err := strconv.Atoi(string(rest[:min(3, len(rest))])); err == nil && code >= 100 && code < 700 {
			return strconv.Itoa(code)
		}
		return "other"
	}
	for _, method := range methods {
		if string(word) == method {
			return method
		}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return "keepalive"
	}
	return "other"
}

var methods = []string{"ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}

// measure has the metrics read this server.
func (m *metrics) measure(s *Server) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	count := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
	}
	number := func(read func() int) func() float64 { return func() float64 { return float64(read()) } }

	gauge("presfed_sip_connections", "Open TCP and TLS connections.", func() float64 { return float64(s.endpoint.Load().Connections) })
	gauge("presfed_sip_client_transactions", "SIP client transactions.", func() float64 { return float64(s.endpoint.Load().ClientTransactions) })
	gauge("presfed_sip_server_transactions", "SIP server transactions.", func() float64 { return float64(s.endpoint.Load().ServerTransactions) })
	gauge("presfed_sip_queued", "SIP requests that wait for this server alone.", func() float64 { return float64(s.endpoint.Load().Queued) })
	count("presfed_sip_refused_total", "SIP requests refused for overload.", func() float64 { return float64(s.endpoint.Load().Refused) })
	gauge("presfed_invites_pending", "INVITEs without a final response.", number(s.proxy.Pending))
	gauge("presfed_subscriptions", "Subscriptions held as a notifier.", number(s.notifier.Count))
	gauge("presfed_shares", "Subscriptions held as a subscriber, for composed views and for buddy lists.", number(s.subscriber.Count))
	gauge("presfed_buddy_lists", "Buddy lists that somebody watches.", number(s.lists.Count))
	gauge("presfed_peers_down", "Other servers that cannot be reached, as far as is known.", func() float64 { return float64(len(s.subscriber.Down())) })
	gauge("presfed_presentities", "Users with publications or watchers.", number(s.presence.Count))
	gauge("presfed_bindings", "Registered contacts.", number(s.registrar.Count))
	count("presfed_state_commits_total", "Writes to the durable state.", func() float64 { return float64(s.store.Stats().Transactions) })
	count("presfed_state_operations_total", "Operations that the writes held.", func() float64 { return float64(s.store.Stats().Operations) })
	count("presfed_state_failures_total", "Operations that were told an error.", func() float64 { return float64(s.store.Stats().Failed) })
	gauge("presfed_state_waiting", "Operations that wait for a write.", number(s.store.Waiting))
	gauge("presfed_directory_reachable", "1 if the directory answers.", func() float64 {
		if s.locate.Health().Reachable {
			return 1
		}
		return 0
	})
	gauge("presfed_directory_revision", "The directory's revision, as last seen.", func() float64 { return float64(s.locate.Health().Revision.Number) })
}
