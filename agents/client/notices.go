package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"presfed/agents/internal/cpim"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
)

// Notice is what the sender of a message may be told of it (RFC 5438 section 5).
type Notice = imdn.Kind

// ParseNotices reads a list such as "delivery,display"; "none" and "" are none.
func ParseNotices(words []string) (all []Notice, err error) {
	for _, word := range words {
		switch n := Notice(word); n {
		case imdn.Delivery, imdn.Display, imdn.Processing:
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		case "none", "":
		default:
			return nil, fmt.Errorf("notice %q: want delivery, display, processing, or none", word)
		}
	}
	return all, nil
}

// Bounds of what is remembered and under way.
const (
	maxAsked    = 256 // messages of ours that asked
	maxAnswered = 256 // notices that were sent
	maxUnread   = 64  // messages that may still be said to be displayed
	maxTelling  = 16  // notices under way
)

// notices are those that messages of ours wait for, and those that we owe or have
// sent.
type notices struct {
	mu       sync.Mutex
	asked    []string // Message-IDs
	answered []string // what was told of which message
	unread   []unread
	telling  int
}

// unread is a message whose sender wants to know when it is displayed.
type unread struct {
	in    arrival
	asked imdn.Request
}

// keepLast appends, and drops the oldest beyond most.
func keepLast[T any](list []T, x T, most int) []T {
	if list = append(list, x); len(list) > most {
		list = slices.Delete(list, 0, len(list)-most)
	}
	return list
}

// expect remembers a message of ours that asks.
func (n *notices) expect(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = keepLast(n.asked, id, maxAsked)
}

// told tells of a notice. One that nobody here has asked for may be of a message of
// another device, or forged (section 14.1).
func (c *Client) told(e Event, n imdn.Notification) {
	e.Type, e.MessageID, e.Notice, e.State = "notice", n.MessageID, n.Kind, string(n.Status)
	c.notices.mu.Lock()
	ours := slices.Contains(c.notices.asked, n.MessageID)
	c.notices.mu.Unlock()
	if !ours {
		e.Reason = "this device did not ask"
	}
	c.emit(e)
}

// answer tells the sender of a message what it has asked for and we tell by
// ourselves. Nobody is told on behalf of a sender that may be another one (section
// 14), and there are no notices of notices: imdn.Asked sees to that.
func (c *Client) answer(in arrival, asked imdn.Request) {
	if !in.sure || userOf(asked.From) != in.event.From {
		c.log.Info("no notice to a sender who may be another", "from", in.event.From, "envelope", asked.From, "message_id", asked.ID)
		return
	}
	if slices.Contains(c.cfg.Notices, imdn.Delivery) && asked.Wants(imdn.Delivery) {
		c.tellSender(in, asked, imdn.Delivery, imdn.Delivered)
	}
	switch {
	case !asked.Wants(imdn.Display):
	case slices.Contains(c.cfg.Notices, imdn.Display):
		c.tellSender(in, asked, imdn.Display, imdn.Displayed)
	default:
		c.notices.keepUnread(unread{in, asked})
	}
}

// keepUnread remembers a message, once.
func (n *notices) keepUnread(u unread) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.ContainsFunc(n.unread, func(v unread) bool { return v.asked.ID == u.asked.ID && v.in.event.From == u.in.event.From }) {
		n.unread = keepLast(n.unread, u, maxUnread)
	}
}

// Displayed tells a user that the messages that wait for it have been displayed, and
// gives how many those are.
func (c *Client) Displayed(target string) (n int, err error) {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return 0, err
	}
	var read []unread
	c.notices.mu.Lock()
	c.notices.unread = slices.DeleteFunc(c.notices.unread, func(u unread) bool {
		if u.in.event.From != message.AOR(uri) {
			return false
		}
		read = append(read, u)
		return true
	})
	c.notices.mu.Unlock()
	for _, u := range read {
		c.tellSender(u.in, u.asked, imdn.Display, imdn.Displayed)
	}
	return len(read), nil
}

// tellSender sends a notice, once (section 7.2.1), however often the message comes,
// and no more of them at a time than a few.
func (c *Client) tellSender(in arrival, asked imdn.Request, kind imdn.Kind, status imdn.Status) {
	what := fmt.Sprint(kind, " ", in.event.From, " ", asked.ID)
	n := &c.notices
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.answered, what) {
		return
	}
	if n.telling == maxTelling {
		c.log.Warn("too many notices at once, one is not sent", "to", in.event.From, "message_id", asked.ID)
		return
	}
	begun := c.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, renewTime)
		defer cancel()
		if err := c.sendNotice(ctx, in, asked, kind, status); err != nil {
			c.log.Info("notice not sent", "to", in.event.From, "message_id", asked.ID, "error", err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.telling--
	})
	if begun {
		n.telling++
		n.answered = keepLast(n.answered, what, maxAnswered)
	}
}

// sendNotice sends it in the session that the message came by, if the peer takes
// that, else as a message of its own to the sender, or to the intermediary that
// wants it (section 7.2.1).
func (c *Client) sendNotice(ctx context.Context, in arrival, asked imdn.Request, kind imdn.Kind, status imdn.Status) error {
	to, err := resolve.User(in.event.From, "")
	if err != nil {
		return err
	}
	if route := asked.Route(); route != "" {
		// Whom a message names must not be sent anything just for that (section 14).
		sender := to
		if to, err = resolve.User(userOf(route), ""); err != nil || to.Host != sender.Host && to.Host != strings.ToLower(c.aor.Host) {
			return fmt.Errorf("%.80q, whom it is to go by, is in neither domain", route)
		}
	}
	body, err := asked.Answer(newMessageID(), message.AOR(c.aor), kind, status).Marshal()
	if err != nil {
		return err
	}
	e := Event{Type: "sent", Peer: in.event.From, Via: "page", ContentType: imdn.Type, MessageID: asked.ID, Notice: kind, State: string(status)}
	s := in.session
	if s != nil && asked.Route() == "" && s.Established() && s.media.TakesWrapped(imdn.Type, cpim.Type) {
		e.Via = "session"
		err = s.put(ctx, cpim.Type, body)
	} else {
		e.Code, err = c.pageTo(ctx, to, cpim.Type, body, 0)
	}
	if err == nil {
		c.emit(e)
	}
	return err
}

// sipOf is an im: or pres: URI as a SIP URI (RFC 3428 section 5).
func sipOf(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if ok && (strings.EqualFold(scheme, "im") || strings.EqualFold(scheme, "pres")) {
		return "sip:" + rest
	}
	return uri
}

// userOf is the address of record that a URI of an envelope names; empty: none.
func userOf(uri string) string {
	u, err := resolve.User(sipOf(uri), "")
	if err != nil {
		return ""
	}
	return message.AOR(u)
}
