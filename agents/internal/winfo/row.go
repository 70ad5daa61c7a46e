package winfo

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/watcherinfo"
	"presfed/db/state"
)

// row is one subscription as the presentity is told of it.
type row struct {
	id, watcher, name string
	anonymous         bool // she does not want to be named (RFC 3323)
	status            watcherinfo.Status
	event             watcherinfo.Event
	since             time.Time
	until             time.Time           // of one who waits: when she is given up; of one elsewhere: when it expires
	remote            bool                // another server tells of it
	sub               *event.Subscription // nil: it has ended
}

// rowOf is a subscription's row. Its id is one way from the dialog's tag: it stays
// over a restart and opens nothing.
func rowOf(s *event.Subscription) *row {
	r := &row{
		id: idOf(s.ID()), watcher: s.Watcher(), since: s.Since(), sub: s,
		status: watcherinfo.Active, event: watcherinfo.Event(s.Cause()),
	}
	if s.Undecided() {
		r.status = watcherinfo.Pending
	}
	if r.event == "" { // made before causes were kept
		r.event = watcherinfo.Subscribe
	}
	if from, err := message.ParseAddress(s.From()); err == nil {
		r.name = short(from.Display)
		r.anonymous = strings.EqualFold(from.URI.Host, "anonymous.invalid")
	}
	return r
}

func idOf(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:8])
}

// short cuts what somebody calls herself to a line.
func short(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	const most = 128
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return name
}

// watcher is the row as it is written now.
func (r *row) written(now time.Time) watcherinfo.Watcher {
	out := watcherinfo.Watcher{ID: r.id, URI: r.watcher, Status: r.status, Event: r.event, Name: r.name}
	if r.anonymous {
		out.URI = "sip:anonymous@anonymous.invalid"
	}
	if !r.since.IsZero() {
		out.Subscribed = seconds(now.Sub(r.since))
	}
	if r.remote && !r.until.IsZero() && r.status != watcherinfo.Terminated {
		out.Expiration = seconds(r.until.Sub(now))
	}
	if r.sub != nil && r.status != watcherinfo.Terminated {
		out.Expiration = seconds(r.sub.Expires().Sub(now) + time.Second - 1) // as Subscription-State has it
	}
	return out
}

func seconds(d time.Duration) *uint64 { return new(uint64(max(d, 0) / time.Second)) }

func (r *row) asking(presentity string) state.Asking {
	return state.Asking{Presentity: presentity, Watcher: r.watcher, ID: r.id, Name: r.name, Anonymous: r.anonymous, Since: r.since, Until: r.until}
}
