package msrp

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"presfed/agents/internal/clock"
)

// watchedClock is turned by hand, and tells of each timer that is set.
type watchedClock struct {
	*clock.Manual
	set chan time.Duration
}

func newWatchedClock() watchedClock {
	return watchedClock{clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), make(chan time.Duration, 1000)}
}

func (c watchedClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	t := c.Manual.AfterFunc(d, f)
	c.set <- d
	return t
}

func (c watchedClock) await(t *testing.T, d time.Duration) {
	t.Helper()
	for await(t, c.set) != d {
	}
}

// sending is an active session, its peer, and a Send under way.
func sending(t *testing.T, cfg Config, scfg SessionConfig, ctx context.Context, body io.Reader, o SendOptions) (*Session, *peer, chan error) {
	t.Helper()
	uri, accept := listenPeer(t)
	e := startEndpoint(t, cfg)
	s := newSession(t, e, scfg)
	if err := s.Start(testContext(t), describe(t, uri), ActiveSpeaks); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, "text/plain", body, o)
		result <- err
	}()
	return s, accept(), result
}

func TestNoResponseWithin30Seconds(t *testing.T) {
	c := newWatchedClock()
	s, p, result := sending(t, Config{Clock: c, Limits: Limits{Unbound: time.Hour}}, SessionConfig{}, t.Context(), strings.NewReader("x"), SendOptions{})
	p.frame()
	c.await(t, 30*time.Second)
	c.Advance(30*time.Second - 1)
	select {
	case err := <-result:
		t.Fatalf("too early: %v", err)
	default:
	}
	c.Advance(1)
	if err := await(t, result); !errors.Is(err, ErrTimeout) {
		t.Errorf("Send: %v", err)
	}
	if o := s.Outcomes(); len(o) != 1 || !errors.Is(o[0].Err, ErrTimeout) {
		t.Errorf("outcomes %+v", o)
	}
	if s.Err() != nil {
		t.Error("the session is over; only the message failed")
	}
}

func TestResponsesThatRefuse(t *testing.T) {
	for _, c := range []struct {
		status string
		is     error // found with errors.Is, or
		code   int   // a StatusError's
		over   bool
	}{
		{status: "400 what", code: 400}, {status: "403", code: 403}, {status: "408 late", is: ErrTimeout}, {status: "413 enough", code: 413},
		{status: "415", code: 415}, {status: "481 gone", code: 481, over: true}, {status: "506 taken", code: 506, over: true},
	} {
		t.Run(c.status, func(t *testing.T) {
			s, p, result := sending(t, Config{}, SessionConfig{}, t.Context(), strings.NewReader("x"), SendOptions{})
			f, _, _ := p.frame()
			p.respond(s, f, c.status)
			err := await(t, result)
			var status *StatusError
			if c.is != nil && !errors.Is(err, c.is) || c.code != 0 && (!errors.As(err, &status) || status.Code != c.code) {
				t.Errorf("Send: %v", err)
			}
			if c.over {
				await(t, s.Done())
			} else if s.Err() != nil {
				t.Errorf("session: %v", s.Err())
			}
		})
	}
}

// RFC 4975 section 10.5: no further chunks after a 413. What had been written
// by then is all there is: at most a window.
func TestStopMeansStop(t *testing.T) {
	for name, stop := range map[string]func(s *Session, p *peer, f *Frame){
		"in a response": func(s *Session, p *peer, f *Frame) { p.respond(s, f, "413 enough") },
		"in a REPORT": func(s *Session, p *peer, f *Frame) {
			p.send(s, "MSRP rep00001 REPORT\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: "+f.MessageID()+"\nByte-Range: 1-2048/*\nStatus: 000 413 enough\n-------rep00001$\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, result := sending(t, Config{}, SessionConfig{}, t.Context(), endless{}, SendOptions{})
			f, _, _ := p.frame()
			stop(s, p, f)
			var status *StatusError
			if err := await(t, result); !errors.As(err, &status) || status.Code != 413 {
				t.Errorf("Send: %v", err)
			}
			more := make(chan error, 1)
			go func() {
				_, err := s.Send(context.Background(), "text/plain", strings.NewReader("another"), SendOptions{MessageID: "another"})
				more <- err
			}()
			for range window + 1 {
				g, _, _ := p.frame()
				if g.MessageID() == "another" {
					p.respond(s, g, "200")
					if err := await(t, more); err != nil {
						t.Error(err)
					}
					return
				}
			}
			t.Error("chunks after the 413")
		})
	}
}

func TestGivingUpIsSaid(t *testing.T) {
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx     context.Context
		body    io.Reader
		options SendOptions
		cancel  func()
		want    error
	}{
		"the source breaks":     {t.Context(), io.MultiReader(strings.NewReader(strings.Repeat("x", 3000)), iotest.ErrReader(broken)), SendOptions{}, nil, broken},
		"the source is short":   {t.Context(), strings.NewReader(strings.Repeat("x", 3000)), SendOptions{Size: 4000}, nil, nil},
		"the caller gives up":   {ctx, endless{}, SendOptions{}, cancel, context.Canceled},
		"more than may be sent": {t.Context(), io.LimitReader(endless{}, 5000), SendOptions{}, nil, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			uri, accept := listenPeer(t)
			s := newSession(t, startEndpoint(t, Config{}), SessionConfig{})
			d := describe(t, uri)
			if c.want == ErrTooLarge {
				d.MaxSize = 4500
			}
			if err := s.Start(testContext(t), d, ActiveSpeaks); err != nil {
				t.Fatal(err)
			}
			result := make(chan error, 1)
			go func() {
				_, err := s.Send(c.ctx, "text/plain", c.body, c.options)
				result <- err
			}()
			p := accept()
			flag := More
			for i := 0; flag == More; i++ {
				var f *Frame
				f, _, flag = p.frame()
				if i == 3 && c.cancel != nil {
					c.cancel()
				}
				p.respond(s, f, "200")
			}
			if flag != Abort {
				t.Errorf("flag %c", flag)
			}
			if err := await(t, result); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Send: %v", err)
			}
		})
	}
}

func TestAnAbortedMessageIsNotDelivered(t *testing.T) {
	ended := make(chan error, 1)
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	sa, _ := pair(t, a, b, SessionConfig{}, SessionConfig{
		OnMessage: func(m Message) { t.Errorf("delivered: %d bytes", len(m.Body)) },
		Accept:    func(Incoming) (Sink, error) { return endSink{ended}, nil },
	})
	_, err := sa.Send(testContext(t), "a/b", io.MultiReader(strings.NewReader(strings.Repeat("x", 5000)), iotest.ErrReader(io.ErrNoProgress)), SendOptions{})
	if !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	if err := await(t, ended); !errors.Is(err, ErrAborted) {
		t.Errorf("End: %v", err)
	}
}

type endSink struct{ ended chan error }

func (s endSink) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (s endSink) End(err error) error                    { s.ended <- err; return nil }

func TestWhatThePeerDoesNotTakeIsNotSent(t *testing.T) {
	uri, accept := listenPeer(t)
	s := newSession(t, startEndpoint(t, Config{}), SessionConfig{})
	d := describe(t, uri)
	d.AcceptTypes, d.MaxSize = []string{"text/plain"}, 10
	if err := s.Start(testContext(t), d, ActiveSpeaks); err != nil {
		t.Fatal(err)
	}
	accept()
	send := func(typ, body string, o SendOptions) error {
		_, err := s.Send(testContext(t), typ, strings.NewReader(body), o)
		return err
	}
	if err := send("text/html", "x", SendOptions{}); !errors.Is(err, ErrType) {
		t.Errorf("type: %v", err)
	}
	if err := send("text/plain", "12345678901", SendOptions{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("size: %v", err)
	}
	for name, o := range map[string]SendOptions{
		"Message-ID": {MessageID: "a\r\nb"}, "Failure-Report": {FailureReport: "maybe"}, "Content-Disposition": {Disposition: "a\r\nb"},
	} {
		if err := send("text/plain", "x", o); err == nil {
			t.Errorf("sent with a bad %s", name)
		}
	}
	if err := send("text/plain\r\nX: y", "x", SendOptions{}); err == nil {
		t.Error("sent with a bad Content-Type")
	}
}

func TestSendWithoutFailureReportsDoesNotWait(t *testing.T) {
	for _, r := range []FailureReport{FailureNo, FailurePartial} {
		inbox := newInbox()
		s, p, result := sending(t, Config{}, inbox.config(), t.Context(), strings.NewReader(strings.Repeat("x", 200_000)), SendOptions{FailureReport: r})
		for flag := More; flag != Last; {
			var f *Frame
			f, _, flag = p.frame()
			if got := f.FailureReport(); got != r {
				t.Fatalf("Failure-Report %s", got)
			}
			if flag == Last && r == FailurePartial {
				if err := await(t, result); err != nil {
					t.Fatal(err)
				}
				p.respond(s, f, "403 no") // later than Send
			}
		}
		if r == FailureNo {
			if err := await(t, result); err != nil {
				t.Fatal(err)
			}
		} else if got := await(t, inbox.reports); got.Status != 403 || got.Comment != "no" || got.Range.End != 200_000 {
			t.Errorf("told %+v", got)
		}
	}
}

// What comes again of a message that was whole is answered, and not delivered.
func TestADuplicateIsNotDelivered(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	inbox := newInbox()
	sa, _ := pair(t, a, b, SessionConfig{}, inbox.config())
	for _, id := range []string{"same", "same", "other"} {
		if _, err := sa.Send(testContext(t), "a/b", strings.NewReader("x"), SendOptions{MessageID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"same", "other"} {
		if m := await(t, inbox.messages); m.ID != id {
			t.Errorf("got %+v", m)
		}
	}
}

// A caller that gives up is not held by a peer that does not answer.
func TestGivingUpOnASilentPeer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, p, result := sending(t, Config{}, SessionConfig{}, ctx, endless{}, SendOptions{})
	for range window {
		p.frame()
	}
	cancel()
	if err := await(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v", err)
	}
	if _, _, flag := p.frame(); flag != Abort {
		t.Errorf("flag %c", flag)
	}
}

// Who waits for a response is not held by a session that has ended, though its
// connection goes on.
func TestClosingEndsWhatWaits(t *testing.T) {
	s, p, result := sending(t, Config{Clock: newWatchedClock()}, SessionConfig{}, t.Context(), strings.NewReader("x"), SendOptions{})
	p.frame()
	s.Close()
	if err := await(t, result); !errors.Is(err, ErrClosed) {
		t.Errorf("Send: %v", err)
	}
}
