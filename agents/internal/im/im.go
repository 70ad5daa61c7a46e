// Package im carries MESSAGE and INVITE to users: policy is asked, routing says
// where the user is, and the proxy forks to all of it.
package im

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"

	"presfed/agents/internal/message"
	"presfed/agents/internal/proxy"
	"presfed/agents/internal/sip"
	"presfed/routing"
)

// Config is what a Service is made of. Its functions may block; they are called
// on the Service's own goroutines.
type Config struct {
	Proxy *proxy.Proxy
	// Where finds the user that a request is for. A *routing.Refusal is answered
	// with its status, a *message.Unavailable with 503, anything else with 500.
	Where func(ctx context.Context, req *message.Request, from Sender) (Where, error)
	// Policy says whether sender may talk to user: 0, or the status that refuses; 480
	// has her look like somebody who is not there.
	Policy func(ctx context.Context, user, sender string) (status int, err error)
	// Devices are the user's devices registered here that take the method, and
	// for im those that can IM.
	Devices func(user, method string, im bool) []Device
	// Strip takes out of a copy what was meant for this server alone, such as
	// credentials; nil: nothing is.
	Strip   func(req *message.Request)
	Workers int // requests decided at the same time; 0: 8
	Queue   int // requests that may wait for each; past it 503. 0: 1024
	Log     *slog.Logger
}

// Sender is who sent a request, as far as that is established.
type Sender struct {
	Peer    string // the server it came from; "" for a client
	User    string // the address of record, authenticated or asserted by Peer and believed; "" unknown
	Display string // the name that goes with it; may be empty
}

// origin is the sender as the proxy knows senders.
func (s Sender) origin() proxy.Origin { return proxy.Origin{Peer: s.Peer, User: s.User} }

// Where is a user and what routing says of her.
type Where struct {
	User    string // the address of record
	Model   routing.Model
	Targets []routing.Target
	// Distributed: each server asks policy for what it has of her, the one that
	// answers for her whole as well.
	Distributed bool
}

// Device is a user's device.
type Device struct {
	Contact message.URI
	Hop     sip.Target // its open connection; zero: at its contact
	Path    []string   // RFC 3327, the next hop first
}

// Service takes requests from senders to users.
type Service struct {
	cfg    Config
	log    *slog.Logger
	seed   maphash.Seed
	queues []chan job
}

type job struct {
	tx   *sip.ServerTx
	req  *proxy.Request
	from Sender
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Proxy == nil || cfg.Where == nil || cfg.Policy == nil || cfg.Devices == nil {
		return nil, errors.New("im: proxy, routing, policy and devices are needed")
	}
	s := &Service{cfg: cfg, log: cfg.Log, seed: maphash.MakeSeed(), queues: make([]chan job, cmp.Or(cfg.Workers, 8))}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for i := range s.queues {
		s.queues[i] = make(chan job, cmp.Or(cfg.Queue, 1024))
	}
	return s, nil
}

// Run decides about requests until ctx ends; what waits then is answered 503.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, queue := range s.queues {
		wg.Go(func() {
			for {
				select {
				case j := <-queue:
					s.decide(ctx, j)
					j.tx.Unqueued() // devices take their time
				case <-ctx.Done():
					s.turnAway(queue)
					return
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func (s *Service) turnAway(queue chan job) {
	for {
		select {
		case j := <-queue:
			j.req.Refuse(503, "", "Retry-After", retryAfter)
		default:
			return
		}
	}
}

// Serve takes a MESSAGE, or an INVITE outside a dialog. It does not block. What
// one sender sends to one user is decided in the order it came.
func (s *Service) Serve(tx *sip.ServerTx, from Sender) {
	req := s.cfg.Proxy.Begin(tx, from.origin())
	if req == nil {
		return
	}
	key := from.User + "\x00" + req.Message().Recipient.User
	queue := s.queues[maphash.String(s.seed, key)%uint64(len(s.queues))]
	tx.Queued()
	select {
	case queue <- job{tx, req, from}:
	default:
		s.log.Info("refused: too many requests wait for a decision", "call_id", message.CallID(req.Message()))
		req.Refuse(503, "", "Retry-After", retryAfter)
	}
}

// retryAfter is in seconds, of what is refused for want of time.
const retryAfter = "5"
