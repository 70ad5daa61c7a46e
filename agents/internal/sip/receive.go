package sip

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// receive takes one message off a link, on its reader, in wire order.
func (e *Endpoint) receive(raw []byte, problem *message.ParseError, l link) {
	if status, branch, method, ok := peekResponse(raw); ok && problem == nil {
		if tx, found := e.clients.get(clientKey(branch, method)); found && tx.answeredBy(l) && tx.raw(status, raw) {
			return
		}
	}
	if problem == nil && e.turnAway(raw, l) {
		return
	}
	msg, err := message.Parse(raw, e.messageLimits(l.source()))
	if problem != nil {
		err = problem
	}
	switch m := msg.(type) {
	case *message.Response:
		if err == nil {
			e.receiveResponse(m, l)
			return
		}
	case *message.Request:
		if m != nil {
			e.receiveRequest(m, err, l)
			return
		}
	}
	// RFC 3261 section 18.3: what is no message, or a broken response, is dropped.
	e.log.Info("dropped what is not a SIP message", "peer", l.source().Remote, "error", err)
}

func (e *Endpoint) receiveResponse(res *message.Response, l link) {
	via, err := message.TopVia(res)
	if err != nil {
		return
	}
	if tx, ok := e.clients.get(clientKey(via.Branch(), message.Method(res))); ok && tx.answeredBy(l) {
		tx.receive(res)
		return
	}
	e.cfg.Handler.ServeResponse(res, l.source())
}

func (e *Endpoint) receiveRequest(req *message.Request, perr error, l link) {
	src := l.source()
	via, err := stampVia(req, src)
	perr = cmpErr(perr, err)
	if via.Host == "" {
		e.log.Info("dropped a request that cannot be answered", "peer", src.Remote, "error", perr)
		return
	}
	back := e.replyLink(via, l)
	if perr != nil {
		e.log.Info("refused a malformed request", "peer", src.Remote, "call_id", message.CallID(req), "error", perr)
		if req.Method != message.ACK {
			status := 400
			var p *message.ParseError
			if errors.As(perr, &p) {
				status = p.Status
			}
			e.refuse(req, status, perr.Error(), back)
		}
		return
	}
	key := serverKey(req, via)
	if tx, ok := e.servers.get(key); ok {
		switch {
		case !tx.cameFrom(src):
			e.log.Info("dropped a request with the branch of somebody else's", "peer", src.Remote, "call_id", message.CallID(req))
			return
		case req.Method == message.ACK && tx.ack():
			return
		case req.Method != message.ACK:
			tx.retransmitted()
			return
		}
	}
	if req.Method == message.ACK {
		if to, err := message.To(req); err == nil && !e.once(req, to.Tag()) {
			e.cfg.Handler.ServeAck(req, src)
		}
		return
	}
	tx := newServerTx(e, key, req, src, back)
	if req.Method == message.CANCEL {
		// RFC 3261 section 9.2: matched as if it were the INVITE it cancels.
		if invite, ok := e.servers.get(transactionKey(via, message.INVITE, req)); ok && invite.cameFrom(src) {
			tx.invite = invite.tx
		}
	}
	// A CANCEL of what is held makes room: it is let in.
	if e.servers.count.Load() >= int64(e.cfg.Limits.Transactions) && tx.invite == nil {
		e.refuse(req, 503, "", back)
		return
	}
	if _, added := e.servers.add(key, tx.served); !added {
		return // only the one reader of this link makes keys of its peer
	}
	e.cfg.Handler.ServeRequest(tx)
	tx.start()
}

// once says that a tag is that of a final response which nothing is kept of: its ACK
// ends here.
func (e *Endpoint) once(ack *message.Request, tag string) bool {
	return len(tag) == tagSize && tag == e.Tag(ack) || tag == strconv.FormatUint(e.refusalHash(message.CallID(ack)), tagBase)
}

// refuse answers without a transaction.
func (e *Endpoint) refuse(req *message.Request, status int, why string, l link) {
	res := message.NewResponse(req, status, "", NewTag())
	if status == 503 {
		message.Add(res, "Retry-After", strconv.Itoa(int(e.cfg.Limits.RetryAfter.Seconds())))
	}
	if why != "" {
		message.Add(res, "Warning", message.Warning(why))
	}
	if err := l.send(message.Bytes(res)); err != nil {
		e.log.Info("a refusal could not be sent", "error", err)
	}
}

// stampVia writes where the request came from into its top Via (RFC 3261
// section 18.2.1, RFC 3581 section 4).
func stampVia(req *message.Request, src Source) (message.Via, error) {
	via, err := message.TopVia(req)
	if err != nil {
		return via, err
	}
	if stamp(&via, src) {
		message.SetTopVia(req, via)
	}
	return via, nil
}

func stamp(via *message.Via, src Source) (changed bool) {
	var text [64]byte
	ip := src.Remote.Addr().AppendTo(text[:0])
	before := len(via.Params)
	rport, asked := via.Params.Get("rport")
	if asked && rport == "" {
		via.Params = via.Params.With("rport", strconv.Itoa(int(src.Remote.Port()))).With("received", string(ip))
	} else if strings.Trim(via.Host, "[]") != string(ip) {
		via.Params = via.Params.With("received", string(ip))
	}
	return asked || len(via.Params) != before
}

// peekResponse reads what matches a response to its transaction without
// building the message: status, branch of the first Via, CSeq method. What is not
// written as we write it, or folded, is left to the parser.
func peekResponse(raw []byte) (status int, branch, method string, ok bool) {
	const version = "SIP/2.0 "
	if len(raw) < len(version)+4 || !strings.EqualFold(string(raw[:len(version)]), version) || raw[11] != ' ' && raw[11] != '\r' {
		return 0, "", "", false
	}
	n, err := strconv.ParseUint(string(raw[8:11]), 10, 16)
	if status = int(n); err != nil || status < 100 || status > 699 {
		return 0, "", "", false
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch name = bytes.TrimRight(name, " \t"); {
		case len(line) == 0:
			return 0, "", "", false
		case branch == "" && named(name, "Via", "v"):
			hop, found, _ := bytes.Cut(value, []byte(";branch="))
			if end := bytes.IndexAny(found, ";, \t"); end >= 0 {
				found = found[:end]
			}
			if branch = string(found); !strings.HasPrefix(branch, cookie) || bytes.ContainsAny(hop, ";,\"") {
				return 0, "", "", false
			}
		case named(name, "CSeq", "CSeq"):
			value = bytes.TrimSpace(value)
			end := bytes.LastIndexAny(value, " \t")
			if end < 0 {
				return 0, "", "", false
			}
			method = string(value[end+1:])
		}
		if branch != "" && method != "" {
			return status, branch, method, true
		}
	}
	return 0, "", "", false
}

// cookie begins every branch of RFC 3261 section 8.1.1.7.
const cookie = "z9hG4bK"

// serverKey is what retransmissions and ACKs share with their request (RFC 3261
// section 17.2.3).
func serverKey(req *message.Request, via message.Via) string {
	method := req.Method
	if method == message.ACK {
		method = message.INVITE
	}
	return transactionKey(via, method, req)
}

func transactionKey(via message.Via, method string, req *message.Request) string {
	if key, ok := branchKey(method, via.Branch(), via.SentBy()); ok {
		return key
	}
	// RFC 2543 peers have no unique branch, nor is the cookie alone one.
	cseq, _ := message.CSeqOf(req)
	from, _ := message.From(req)
	return strings.Join([]string{method, from.Tag(), message.CallID(req), strconv.Itoa(int(cseq.Seq)), via.SentBy(), req.Recipient.String()}, " ")
}

func branchKey(method, branch, sentBy string) (key string, ok bool) {
	if !strings.HasPrefix(branch, cookie) || branch == cookie {
		return "", false
	}
	return method + " " + branch + " " + strings.ToLower(sentBy), true
}

func clientKey(branch, method string) string { return method + " " + branch }

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
