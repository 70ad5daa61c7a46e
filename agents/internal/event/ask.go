package event

import (
	"fmt"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// ask sends a SUBSCRIBE: the first of a dialog, a refresh, or the end.
func (w *Watch) ask() {
	if w.asking {
		w.refresh = true
		return
	}
	if w.want.Peer != "" && !w.bold && w.s.isDown(w.want.Peer) {
		switch {
		case w.rec.RemoteTag != "": // it is refreshed, or ended, when the peer is there again
		case w.ending:
			w.finish(Update{})
		default: // it has not heard of it
			w.stall(fmt.Errorf("%s cannot be reached: %w", w.want.Peer, sip.ErrTransport))
		}
		return // until it is up
	}
	w.attempts, w.refresh = 0, false
	w.next.Stop()
	w.arm(&w.timerN, w.s.cfg.TimerN, w.silent)
	w.transmit(nil)
}

// transmit sends it, with an answer to challenge if there is one.
func (w *Watch) transmit(challenge *message.Response) {
	if !w.reserve() {
		return
	}
	w.cseq++
	req, hop, err := w.request()
	if err != nil {
		w.finish(Update{Err: err})
		return
	}
	if challenge != nil && !w.s.cfg.Credentials(req, challenge) {
		w.refused(challenge)
		return
	}
	w.asking = true
	dialog := w.dialog
	w.s.cfg.Send(Outgoing{Request: req, Hop: hop, Peer: w.want.Peer}, func(res *message.Response, err error) {
		w.s.cfg.Lanes.Do(w.key, func() {
			if w.over || dialog != w.dialog {
				return
			}
			w.asking = false
			w.response(res, err)
		})
	})
}

// reserve sets CSeq numbers aside where the dialog is durable.
func (w *Watch) reserve() bool {
	if !w.stored || w.cseq < w.rec.CSeqReserved {
		return true
	}
	err := Commit(w.s.cfg.Store, func(tx *state.Tx) error {
		return tx.ReserveCSeq(state.Subscriber, w.rec.ID, w.cseq+reservation)
	})
	if err != nil {
		w.s.cfg.Log.Error("no CSeq numbers for SUBSCRIBE", "subscription", w.rec.ID, "error", err)
		w.timerN.Stop()
		w.later(err, 0)
		return false
	}
	w.rec.CSeqReserved = w.cseq + reservation
	return true
}

func (w *Watch) request() (*message.Request, message.URI, error) {
	h, err := newHead(message.SUBSCRIBE, &w.rec)
	if err != nil {
		return nil, h.hop, fmt.Errorf("SUBSCRIBE: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(h.line), message.SUBSCRIBE+" "), " ")
	uri, err := message.ParseURI(line)
	if err != nil {
		return nil, h.hop, err
	}
	req := message.NewRequest(message.SUBSCRIBE, uri)
	for field := range strings.SplitSeq(strings.TrimSuffix(string(h.fields), "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(field, ": ")
		message.Add(req, name, value)
	}
	message.Add(req, "CSeq", message.CSeq{Seq: w.cseq, Method: message.SUBSCRIBE}.String())
	expires := w.lasts
	if w.last0 = w.ending && w.rec.RemoteTag != "" || w.want.Fetch; w.last0 {
		expires = 0
	}
	message.Add(req, "Expires", Seconds(expires))
	if len(w.want.Accept) > 0 {
		message.Add(req, "Accept", strings.Join(w.want.Accept, ", "))
	}
	return req, h.hop, nil
}

// response takes the final response to a SUBSCRIBE, or its failure.
func (w *Watch) response(res *message.Response, err error) {
	if err == nil && w.want.Peer != "" {
		defer w.s.up(w.want.Peer, w)
	}
	switch {
	case err != nil:
		w.timerN.Stop()
		w.s.lost(w, err)
		return
	case res.StatusCode < 300:
		w.accepted(res)
	case (res.StatusCode == 401 || res.StatusCode == 407) && w.s.cfg.Credentials != nil && w.attempts < 3:
		w.attempts++
		w.transmit(res)
		return
	case res.StatusCode == 423 && w.longer(res):
		w.attempts++
		w.transmit(nil)
		return
	default:
		w.refused(res)
		return
	}
	if !w.over && w.rec.RemoteTag != "" && (w.refresh || w.ending && !w.last0) {
		w.ask()
	}
}

// longer takes the expiry a 423 asks for.
func (w *Watch) longer(res *message.Response) bool {
	seconds, ok := message.Seconds(res, "Min-Expires")
	d := time.Duration(seconds) * time.Second
	if !ok || d <= w.lasts || w.attempts >= 3 {
		return false
	}
	w.lasts = d
	return true
}

// accepted: the response says how long it lasts, nothing more; the NOTIFY makes
// the dialog (RFC 6665 section 4.4.1).
func (w *Watch) accepted(res *message.Response) {
	if res.StatusCode == 204 { // RFC 5839: no NOTIFY follows
		w.timerN.Stop()
	}
	if w.last0 || w.want.Fetch {
		return
	}
	seconds, ok := message.Seconds(res, "Expires")
	d := min(time.Duration(seconds)*time.Second, w.lasts) // it MUST NOT be longer
	if !ok {
		d = w.lasts
	}
	if w.rec.RemoteTag == "" { // Timer N runs; the first NOTIFY sets the timers
		w.rec.Expires = w.s.cfg.Clock.Now().Add(d)
		return
	}
	w.last(d)
}

// last sets when the subscription ends, and when it is refreshed before.
func (w *Watch) last(d time.Duration) {
	w.rec.Expires = w.s.cfg.Clock.Now().Add(d)
	w.arm(&w.expiry, d, w.expired)
	w.arm(&w.next, d-min(d/4, time.Minute), w.ask)
}

// refused: some statuses end the dialog, some may pass, the rest is final (RFC
// 6665 section 4.1.2.2).
func (w *Watch) refused(res *message.Response) {
	w.timerN.Stop()
	u := Update{Status: res.StatusCode, Reason: res.Reason}
	established := w.rec.RemoteTag != ""
	switch status := res.StatusCode; {
	case established && ends(status) && status != 489 && status != 501: // it is gone there: a new one
		w.rec.RemoteTag = ""
		w.failed(u, message.RetryAfter(res))
	case status == 408 || status == 480 || status >= 500 && status < 600 && status != 501 && status != 505 && status != 513:
		w.failed(u, message.RetryAfter(res))
	default:
		w.finish(u)
	}
}

// silent: Timer N; no NOTIFY came in time.
func (w *Watch) silent() {
	w.rec.RemoteTag = ""
	w.failed(Update{Err: fmt.Errorf("no NOTIFY: %w", sip.ErrTimeout)}, 0)
}
