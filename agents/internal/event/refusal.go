package event

import (
	"errors"
	"log/slog"
	"strconv"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// Transaction is what a request came in on; *sip.ServerTx is one.
type Transaction interface {
	// Request is what came in; it must not be changed.
	Request() *message.Request
	// Source is where it came from.
	Source() sip.Source
	// Respond sends a final response and does not block.
	Respond(res *message.Response) error
}

// Refusal is an answer other than 2xx, as an error.
type Refusal struct {
	Status int
	Reason string        // "": the usual one
	Fields []state.Field // what the status obliges us to say beside it
}

func (r *Refusal) Error() string {
	reason := r.Reason
	if reason == "" {
		reason = message.Reason(r.Status)
	}
	return strconv.Itoa(r.Status) + " " + reason
}

// TooBrief is 423 with the shortest expiry taken (RFC 3261 section 21.4.17).
func TooBrief(least time.Duration) *Refusal {
	return &Refusal{Status: 423, Fields: []state.Field{{Name: "Min-Expires", Value: Seconds(least)}}}
}

// BadEvent is 489 with the packages there are (RFC 6665 section 4.4.4).
func BadEvent(allow string) *Refusal {
	return &Refusal{Status: 489, Fields: []state.Field{{Name: "Allow-Events", Value: allow}}}
}

// Refuse answers a request with what err says: a *Refusal, a message's
// *message.ParseError, whose text goes into a Warning, 503 for a
// *message.Unavailable, or 500 and a line in the log.
func Refuse(tx Transaction, err error, log *slog.Logger) {
	req := tx.Request()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		if parse, bad := errors.AsType[*message.ParseError](err); bad {
			refusal = &Refusal{Status: parse.Status, Fields: []state.Field{{Name: "Warning", Value: message.Warning(parse.Error())}}}
		} else if away, ok := errors.AsType[*message.Unavailable](err); ok {
			log.Warn("refused: what it depends on is away", "call_id", message.CallID(req), "error", err)
			refusal = &Refusal{Status: 503}
			for f := away.Fields(); len(f) > 1; f = f[2:] {
				refusal.Fields = append(refusal.Fields, state.Field{Name: f[0], Value: f[1]})
			}
		} else {
			log.Error("request failed", "method", message.Method(req), "call_id", message.CallID(req), "error", err)
			refusal = &Refusal{Status: 500}
		}
	}
	res := message.NewResponse(req, refusal.Status, refusal.Reason, tag())
	for _, f := range refusal.Fields {
		message.Add(res, f.Name, f.Value)
	}
	respond(tx, res, log)
}

func respond(tx Transaction, res *message.Response, log *slog.Logger) {
	if err := tx.Respond(res); err != nil {
		log.Info("response not sent", "status", res.StatusCode, "call_id", message.CallID(res), "error", err)
	}
}

// Seconds is a duration on the wire: whole seconds, a begun one counted, so that
// no expiry is told as over before it is.
func Seconds(d time.Duration) string {
	return strconv.FormatInt(int64((max(d, 0)+time.Second-1)/time.Second), 10)
}
