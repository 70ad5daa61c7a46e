package client

import (
	"slices"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// handler is what the device does with what comes in.
type handler Client

// allowed are the methods a device takes.
const allowed = "INVITE, ACK, CANCEL, BYE, PRACK, OPTIONS, NOTIFY, MESSAGE"

func (h *handler) ServeRequest(tx *sip.ServerTx) {
	c := (*Client)(h)
	req := tx.Request()
	reply := func(status int, more ...string) {
		res := message.NewResponse(req, status, "", sip.NewTag())
		for i := 0; i+1 < len(more); i += 2 {
			message.Add(res, more[i], more[i+1])
		}
		if err := tx.Respond(res); err != nil {
			c.log.Info("response not sent", "call_id", message.CallID(req), "error", err)
		}
	}
	if scheme := req.Recipient.Scheme; scheme != "sip" && scheme != "sips" {
		reply(416) // RFC 3261 section 8.2.2.1
		return
	}
	if extensions := unsupported(req); len(extensions) > 0 {
		reply(420, "Unsupported", strings.Join(extensions, ", ")) // RFC 3261 section 8.2.2.3
		return
	}
	switch req.Method {
	case message.OPTIONS:
		reply(200, "Allow", allowed, "Accept", "application/sdp, multipart/mixed, application/pidf+xml, "+pageTypes,
			"Allow-Events", "presence", "Supported", supported)
	case message.NOTIFY:
		c.notified(req, reply)
	case message.MESSAGE:
		c.paged(req, reply)
	case message.INVITE:
		c.invited(tx, reply)
	case message.PRACK:
		c.pracked(tx, reply)
	case message.BYE:
		c.byed(req, reply)
	case message.CANCEL:
		c.cancelled(tx, reply)
	default:
		reply(message.Unserved(req.Method), "Allow", allowed)
	}
}

func (h *handler) ServeAck(ack *message.Request, _ sip.Source) { (*Client)(h).acknowledged(ack) }

func (h *handler) ServeResponse(res *message.Response, from sip.Source) {
	h.log.Debug("stray response", "call_id", message.CallID(res), "status", res.StatusCode, "peer", from.Remote)
}

// ConnectionClosed: the server reaches this device by the connection that it
// registered on, so a new one is made by registering again.
func (h *handler) ConnectionClosed(from sip.Source) {
	c := (*Client)(h)
	c.mu.Lock()
	k, ended := c.registration, c.ended
	ours := slices.ContainsFunc(c.hops, func(t sip.Target) bool { return t.Addr == from.Remote })
	c.mu.Unlock()
	if ours && !ended {
		k.soon(reconnectTime)
	}
}

// reconnectTime is how long a server that went away is left in peace.
const reconnectTime = time.Second
