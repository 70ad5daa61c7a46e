package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/im"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/proxy"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// handler is what the server does with what comes in: who speaks, for whom is
// it, which service takes it.
type handler Server

// allowed are the methods served.
const allowed = "ACK, BYE, CANCEL, INVITE, MESSAGE, NOTIFY, OPTIONS, PUBLISH, REGISTER, SUBSCRIBE"

func (h *handler) ServeRequest(tx *sip.ServerTx) {
	s := (*Server)(h)
	req := tx.Request()
	if s.verbose() {
		s.log.Debug("request", "method", req.Method, "call_id", message.CallID(req), "peer", tx.Source().Remote, "transport", tx.Source().Transport)
	}
	if u := req.Recipient; u.Scheme != "sip" && u.Scheme != "sips" {
		s.reply(tx, 416) // RFC 3261 section 8.2.2.1
		return
	}
	to, err := message.To(req)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	s.heard(tx.Source())
	method := req.Method
	if to.Tag() == "" && method != message.CANCEL {
		if away := s.leadsAway(tx); away != "" {
			s.reply(tx, 403, "Warning", message.Warning("Route: "+away+" is not this server, and clients are carried to users of "+s.domain.Name+" only"))
			return
		}
	}
	switch {
	case method == message.CANCEL:
		s.proxy.Cancel(tx)
	case method == message.REGISTER:
		s.register(tx)
	case method == message.PUBLISH:
		s.publish(tx)
	case method == message.MESSAGE, method == message.OPTIONS && req.Recipient.User != "":
		s.talk(tx) // whatever To says: policy is not to be walked around by a tag
	case method == message.OPTIONS:
		if s.understands(tx) { // RFC 3261 section 11.2
			s.reply(tx, 200, "Allow", allowed, "Allow-Events", s.notifier.AllowEvents(),
				"Accept", presence.ContentType, "Accept-Encoding", "identity", "Accept-Language", "en", "Supported", rlmi.Extension)
		}
	case method == message.SUBSCRIBE && to.Tag() != "" && s.notifier.Has(message.CallID(req), to.Tag()):
		s.refresh(tx)
	case to.Tag() != "":
		if at, ours := s.subscriber.Of(message.CallID(req), to.Tag()); ours && method == message.NOTIFY {
			s.notified(tx, at)
			return
		}
		s.relay(tx)
	case method == message.SUBSCRIBE:
		s.subscribe(tx)
	case method == message.INVITE:
		s.talk(tx)
	case method == message.NOTIFY, method == message.BYE:
		s.reply(tx, 481) // they live in a dialog: RFC 6665 section 4.1.3, RFC 3261 section 15.1.2
	case req.Recipient.User != "":
		s.talk(tx) // RFC 3261 section 16.3: a method is not refused for being unknown
	default:
		s.reply(tx, message.Unserved(method), "Allow", allowed)
	}
}

// relay passes on a request within a dialog that we stay on the path of. A
// client proves who it is here as well: its Route is its own word.
func (s *Server) relay(tx *sip.ServerTx) {
	sender, err := s.speaker(context.Background(), tx, auth.Proxy)
	if _, challenged := errors.AsType[*auth.Challenge](err); challenged && !s.proxy.Sealed(tx.Request()) {
		s.reply(tx, 481) // whoever it is
		return
	}
	if err != nil {
		s.refuse(tx, err)
		return
	}
	r := s.proxy.Begin(tx, proxy.Origin{Peer: sender.Peer, User: sender.User})
	if r == nil {
		return // answered
	}
	if !proxy.MakesDialog(tx.Request().Method) {
		sender = im.Sender{} // the dialog says enough; who may refresh it is asked again
	}
	r.Relay(func(copy *message.Request) { s.im.Vouch(copy, sender, !r.ToClient()) })
}

// talk takes a MESSAGE, an INVITE or what else goes to a user's devices.
func (s *Server) talk(tx *sip.ServerTx) {
	sender, err := s.shown(context.Background(), tx, auth.Proxy)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if sender.User == "" {
		s.reply(tx, 403) // a peer speaks for nobody, or for somebody it may not speak for: no rule could be asked
		return
	}
	s.im.Serve(tx, sender)
}

// understands answers 420 where a request that ends here requires an extension
// that is not among those that can be applied to it (RFC 3261 section 8.2.2.3).
func (s *Server) understands(tx *sip.ServerTx, extensions ...string) bool {
	unknown := slices.DeleteFunc(message.Values(tx.Request(), "Require"), func(tag string) bool {
		return slices.ContainsFunc(extensions, func(ours string) bool { return strings.EqualFold(tag, ours) })
	})
	if len(unknown) > 0 {
		s.reply(tx, 420, "Unsupported", strings.Join(unknown, ", "))
	}
	return len(unknown) == 0
}

// register ends a client's REGISTER here, if this server serves the user and
// the client is she.
func (s *Server) register(tx *sip.ServerTx) {
	ctx := context.Background()
	req := tx.Request()
	to, err := message.To(req)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if scheme := to.URI.Scheme; scheme != "sip" && scheme != "sips" {
		s.reply(tx, 400, "Warning", message.Warning("To: want a sip or sips URI, have scheme "+scheme)) // section 10.2
		return
	}
	sender, err := s.speaker(ctx, tx, auth.UserAgent)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if !s.handles(ctx, to.URI) {
		s.reply(tx, 404) // RFC 3261 section 10.3 step 5
		return
	}
	aor, err := s.userOf(to.URI)
	if err != nil || sender.Peer == "" && aor != sender.User {
		// RFC 3261 section 10.3 step 3: she may change her own bindings only.
		s.reply(tx, 403)
		return
	}
	if user := req.Recipient.User; user != "" && message.Unescape(user) != message.Unescape(to.URI.User) {
		// RFC 3261 section 10.2: no user at all; what clients write nevertheless is hers.
		s.reply(tx, 400, "Warning", message.Warning("Request-URI: want sip:"+s.domain.Name+" without a user"))
		return
	}
	if !s.understands(tx) {
		return
	}
	if _, err := locate.Route(ctx, s.locate, locate.Question{
		Self: s.cfg.Name, Host: req.Recipient.Host, Port: req.Recipient.Port, User: aor, Method: message.REGISTER, Peer: sender.Peer,
	}); err != nil {
		s.refuse(tx, err)
		return
	}
	tx.Queued()
	s.registrar.Register(tx, aor)
}

// handles says that a URI is the domain's, or one of its servers'.
func (s *Server) handles(ctx context.Context, uri message.URI) bool {
	names, err := s.locate.Names(ctx)
	if err != nil {
		return false
	}
	return names.Knows(uri.Host, uri.Port)
}

// refuse answers with what an error of a lower room means to the peer.
func (s *Server) refuse(tx *sip.ServerTx, err error) {
	var challenge *auth.Challenge
	var route *routing.Refusal
	var malformed *message.ParseError
	var invalid *db.InvalidError
	var away *message.Unavailable
	switch {
	case errors.Is(err, errNotYou):
		s.log.Info("refused: From names somebody else", "call_id", message.CallID(tx.Request()), "peer", tx.Source().Remote)
		s.reply(tx, 403)
	case errors.As(err, &challenge):
		s.log.Info("challenged", "call_id", message.CallID(tx.Request()), "peer", tx.Source().Remote, "why", challenge.Why, "claimed", fmt.Sprintf("%.80s", challenge.User))
		s.send(tx, challenge.Response(tx.Request(), s.endpoint.Tag(tx.Request())))
	case errors.As(err, &route):
		s.log.Info("refused", "call_id", message.CallID(tx.Request()), "status", route.Status, "why", route.Reason)
		s.reply(tx, route.Status)
	case errors.As(err, &malformed):
		s.reply(tx, malformed.Status, "Warning", message.Warning(malformed.Error()))
	case errors.As(err, &invalid):
		s.reply(tx, 404)
	case errors.As(err, &away):
		s.log.Warn("refused: what it depends on is away", "call_id", message.CallID(tx.Request()), "error", err)
		s.reply(tx, 503, away.Fields()...)
	default:
		s.log.Error("request failed", "call_id", message.CallID(tx.Request()), "error", err)
		s.reply(tx, 500)
	}
}

// reply answers with fields given as name and value in turn.
func (s *Server) reply(tx *sip.ServerTx, status int, fields ...string) {
	res := message.NewResponse(tx.Request(), status, "", s.endpoint.Tag(tx.Request()))
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	s.send(tx, res)
}

func (s *Server) send(tx *sip.ServerTx, res *message.Response) {
	if s.verbose() {
		s.log.Debug("answered", "call_id", message.CallID(res), "status", res.StatusCode, "method", tx.Request().Method)
	}
	respond := tx.Respond
	if challenged := res.StatusCode == 401 || res.StatusCode == 407; challenged || res.StatusCode >= 300 && tx.Request().Method == message.INVITE {
		respond = tx.RespondOnce // whoever that was
	}
	if err := respond(res); err != nil {
		s.log.Info("response not sent", "call_id", message.CallID(res), "error", err)
	}
}

// verbose says that somebody reads a line for each message.
func (s *Server) verbose() bool { return s.log.Enabled(context.Background(), slog.LevelDebug) }

func (h *handler) ServeAck(ack *message.Request, from sip.Source) {
	// Its credentials are those of its INVITE (RFC 3261 section 22.1) and stay here.
	h.proxy.Ack(ack, from, func(copy *message.Request) { h.im.Vouch(copy, im.Sender{}, true) })
}

func (h *handler) ServeResponse(res *message.Response, from sip.Source) {
	h.log.Debug("stray response", "call_id", message.CallID(res), "status", res.StatusCode, "peer", from.Remote)
}

func (h *handler) ConnectionClosed(from sip.Source) {
	h.registrar.Closed(from.Flow)
	(*Server)(h).peerGone(from)
	h.noServers.Delete(from.Flow)
	if len(from.Identities) > 0 { // else no server's
		h.proxy.Lost(from.Flow)
	}
	h.log.Debug("connection closed", "peer", from.Remote, "transport", from.Transport)
}
