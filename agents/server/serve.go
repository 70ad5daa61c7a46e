package server

import (
	"context"
	"errors"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// handler is what the server does with what comes in: who speaks, for whom is
// it, which service takes it.
type handler Server

// allowed are the methods served.
const allowed = "OPTIONS, REGISTER"

func (h *handler) ServeRequest(tx *sip.ServerTx) {
	s := (*Server)(h)
	req := tx.Request()
	s.log.Debug("request", "method", req.Method, "call_id", message.CallID(req), "peer", tx.Source().Remote, "transport", tx.Source().Transport)
	if u := req.Recipient; u.Scheme != "sip" && u.Scheme != "sips" {
		s.reply(tx, 416) // RFC 3261 section 8.2.2.1
		return
	}
	if extensions := message.Values(req, "Require"); len(extensions) > 0 {
		s.reply(tx, 420, "Unsupported", strings.Join(extensions, ", ")) // section 8.2.2.3
		return
	}
	switch string(req.Method) {
	case message.OPTIONS:
		s.reply(tx, 200, "Allow", allowed, "Accept", "application/sdp", "Supported", "")
	case message.REGISTER:
		s.register(tx)
	case message.CANCEL:
		s.reply(tx, 481) // nothing here waits long enough to be cancelled
	default:
		s.reply(tx, 405, "Allow", allowed)
	}
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
	peer, err := s.directory.peer(ctx, tx.Source().Identities)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	user, err := s.speaker(ctx, tx, peer, auth.UserAgent)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	aor, err := db.ParseAOR(to.URI.User+"@"+s.directory.domain.Name, s.directory.domain.Name)
	if err != nil || peer == "" && aor != user {
		// RFC 3261 section 10.3 step 3: she may change her own bindings only.
		s.reply(tx, 403)
		return
	}
	if _, err := s.directory.targets(ctx, req.Recipient, aor, message.REGISTER, peer); err != nil {
		s.refuse(tx, err)
		return
	}
	s.registrar.Register(tx, aor)
}

// speaker is the user whose client sent the request: by digest, or by From
// where nobody is asked. A peer server speaks for nobody here.
func (s *Server) speaker(ctx context.Context, tx *sip.ServerTx, peer string, role auth.Role) (aor string, err error) {
	if peer != "" {
		return "", nil
	}
	name := ""
	if s.verifier == nil {
		from, err := message.From(tx.Request())
		if err != nil {
			return "", err
		}
		name = from.URI.User
	} else if name, err = s.verifier.Verify(ctx, tx.Request(), role); err != nil {
		return "", err
	}
	return db.ParseAOR(name, s.directory.domain.Name)
}

// refuse answers with what an error of a lower room means to the peer.
func (s *Server) refuse(tx *sip.ServerTx, err error) {
	var challenge *auth.Challenge
	var route *routing.Refusal
	var malformed *message.ParseError
	var invalid *db.InvalidError
	switch {
	case errors.As(err, &challenge):
		s.log.Info("challenged", "call_id", message.CallID(tx.Request()), "peer", tx.Source().Remote, "why", challenge.Why, "claimed", challenge.User)
		s.send(tx, challenge.Response(tx.Request(), sip.NewTag()))
	case errors.As(err, &route):
		s.log.Info("refused", "call_id", message.CallID(tx.Request()), "status", route.Status, "why", route.Reason)
		s.reply(tx, route.Status)
	case errors.As(err, &malformed):
		s.reply(tx, malformed.Status, "Warning", "399 presfed "+message.Quote(malformed.Error()))
	case errors.As(err, &invalid):
		s.reply(tx, 404)
	default:
		s.log.Error("request failed", "call_id", message.CallID(tx.Request()), "error", err)
		s.reply(tx, 500)
	}
}

// reply answers with fields given as name and value in turn.
func (s *Server) reply(tx *sip.ServerTx, status int, fields ...string) {
	res := message.NewResponse(tx.Request(), status, "", sip.NewTag())
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	s.send(tx, res)
}

func (s *Server) send(tx *sip.ServerTx, res *message.Response) {
	if err := tx.Respond(res); err != nil {
		s.log.Info("response not sent", "call_id", message.CallID(res), "error", err)
	}
}

func (h *handler) ServeAck(*message.Request, sip.Source) {}

func (h *handler) ServeResponse(res *message.Response, from sip.Source) {
	h.log.Debug("stray response", "call_id", message.CallID(res), "status", res.StatusCode, "peer", from.Remote)
}

func (h *handler) ConnectionClosed(from sip.Source) {
	h.log.Debug("connection closed", "peer", from.Remote, "transport", from.Transport)
}
