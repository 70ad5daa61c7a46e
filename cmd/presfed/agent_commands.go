package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"presfed/agents/client"
	"presfed/db"
	"presfed/pidf"
)

// agentCommand is one command of an agent; do gets what stands behind its name.
type agentCommand struct {
	name, args, help string
	least            int // words it needs; the last one takes the rest of the line
	do               func(a *agent, ctx context.Context, args []string) error
}

func agentCommands() []agentCommand {
	return []agentCommand{
		{"register", "", "register, if --no-register left it out", 0, (*agent).register},
		{"status", "WORD [NOTE]", "publish open, closed, away, busy or dnd", 1, (*agent).status},
		{"publish", "FILE", "publish a presence document", 1, (*agent).publish},
		{"unpublish", "", "take back what was published", 0, (*agent).unpublish},
		{"watch", "TARGET", "subscribe to a user's presence", 1, (*agent).watch},
		{"unwatch", "TARGET", "end that subscription", 1, (*agent).unwatch},
		{"list", "", "who is watched, the buddy list, the sessions", 0, (*agent).list},
		{"watchers", "", "who watches the user, or waits for a decision", 0, (*agent).watchers},
		{"allow", "WATCHER", "decide about who watches (needs --xcap or --directory)", 1, rule(db.Allow)},
		{"block", "WATCHER", "", 1, rule(db.Block)},
		{"polite-block", "WATCHER", "", 1, rule(db.PoliteBlock)},
		{"confirm", "WATCHER", "", 1, rule(db.Confirm)},
		{"im", "TARGET TEXT", "send in a session, a new one if there is none", 2, (*agent).im},
		{"page", "TARGET TEXT", "send one MESSAGE", 2, (*agent).page},
		{"reply", "TEXT", "send in the session that spoke last; answers one that rings", 1, (*agent).reply},
		{"composing", "TARGET", "say that a message for that user is being written", 1, (*agent).composing},
		{"displayed", "TARGET", "tell that user, who asked, that it was read", 1, (*agent).displayed},
		{"send-file", "TARGET PATH", "send a file (RFC 5547)", 2, (*agent).sendFile},
		{"bye", "TARGET", "end the session with that user", 1, (*agent).bye},
		{"wait", "EVENT [KEY=VALUE...] [TIMEOUT]", "go on when that happens", 1, (*agent).wait},
		{"sleep", "TIME", "go on after that time, as 2s", 1, (*agent).sleep},
		{"quit", "", "end", 0, func(*agent, context.Context, []string) error { return errQuit }},
	}
}

func agentHelp() string {
	var b strings.Builder
	b.WriteString("Commands:")
	for _, c := range agentCommands() {
		fmt.Fprintf(&b, "\n  %-38s%s", c.name+" "+c.args, c.help)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// command does one line of the input. A command that fails is answered by an
// event, and the run goes on; the error is one that ends the run.
func (a *agent) command(ctx context.Context, line string) error {
	err := a.do(ctx, line)
	var verdict *failure
	switch {
	case err == nil:
	case errors.Is(err, errQuit), errors.As(err, &verdict) && verdict.code == exitVerdict:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		a.failed(err)
	}
	return nil
}

func (a *agent) do(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	name, rest, _ := strings.Cut(line, " ")
	all := agentCommands()
	i := slices.IndexFunc(all, func(c agentCommand) bool { return c.name == name })
	if i < 0 {
		var names []string
		for _, c := range all {
			names = append(names, c.name)
		}
		return fmt.Errorf("unknown command %q: want %s", name, strings.Join(names, ", "))
	}
	c := all[i]
	args := splitWords(rest, len(strings.Fields(c.args)))
	if len(args) < c.least {
		return fmt.Errorf("%s: want %s %s", name, name, c.args)
	}
	limited := ctx
	if name != "wait" && name != "sleep" && name != "send-file" {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, a.opts.device.timeout)
		defer cancel()
	}
	if err := c.do(a, limited, args); err != nil {
		if errors.Is(err, errQuit) {
			return err
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// splitWords gives at most n words; the last one is the rest of the line.
func splitWords(s string, n int) []string {
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if len(words) == n-1 {
			return append(words, s)
		}
		word, rest, _ := strings.Cut(s, " ")
		words, s = append(words, word), rest
	}
	return words
}

func (a *agent) failed(err error) {
	e := client.Failed(err)
	e.Time = time.Now()
	a.happened(e)
}

func (a *agent) register(ctx context.Context, _ []string) error {
	return a.login(ctx)
}

func (a *agent) status(ctx context.Context, args []string) error {
	status, err := pidf.ParseStatus(args[0])
	if err != nil {
		return err
	}
	return a.device.Status(ctx, status, strings.Join(args[1:], " "))
}

func (a *agent) publish(ctx context.Context, args []string) error {
	body, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	return a.device.KeepPublished(ctx, client.Publication{Body: body, Expires: a.opts.expires})
}

func (a *agent) unpublish(ctx context.Context, _ []string) error { return a.device.Unpublish(ctx) }

func (a *agent) watch(ctx context.Context, args []string) error {
	if a.subscription(args[0]) != nil {
		return fmt.Errorf("%s is watched already", args[0])
	}
	_, err := a.device.Watch(ctx, args[0], client.SubscribeOptions{Expires: a.opts.expires})
	return err
}

func (a *agent) unwatch(ctx context.Context, args []string) error {
	s := a.subscription(args[0])
	if s == nil {
		return fmt.Errorf("%s is not watched", args[0])
	}
	return s.Unwatch(ctx)
}

func (a *agent) subscription(target string) *client.Watch {
	for _, s := range a.device.Watches() {
		if !s.List() && s.Event() != client.WatchersEvent && sameUser(s.Target(), target) {
			return s
		}
	}
	return nil
}

// sameUser compares an address of record with a user as people write one.
func sameUser(aor, written string) bool {
	aor = strings.TrimPrefix(aor, "sip:")
	written, _, _ = strings.Cut(strings.TrimPrefix(written, "sip:"), ";")
	if user, _, _ := strings.Cut(aor, "@"); !strings.Contains(written, "@") {
		return user == written
	}
	return strings.EqualFold(aor, written)
}

type listedUser struct {
	Entity string `json:"entity"`
	State  string `json:"state,omitempty"`
}

type agentList struct {
	Type     string       `json:"type"`
	Watching []listedUser `json:"watching,omitempty"`
	Sessions []listedUser `json:"sessions,omitempty"`
	Buddies  []string     `json:"buddies,omitempty"`
}

func (a *agent) list(ctx context.Context, _ []string) error {
	l := agentList{Type: "list"}
	for _, s := range a.device.Subscriptions() {
		if s.Event() == client.WatchersEvent {
			continue
		}
		l.Watching = append(l.Watching, listedUser{s.Target(), s.State()})
	}
	for _, s := range a.device.Sessions() {
		l.Sessions = append(l.Sessions, listedUser{s.Peer(), s.State()})
	}
	byEntity := func(x, y listedUser) int { return cmp.Compare(x.Entity, y.Entity) }
	slices.SortFunc(l.Watching, byEntity)
	slices.SortFunc(l.Sessions, byEntity)
	if a.opts.directory != "" {
		err := directoryOptions{con: a.opts.con, path: a.opts.directory}.read(ctx, func(v db.View) error {
			owner, err := directoryUser(ctx, v, strings.TrimPrefix(a.device.AOR(), "sip:"))
			if err == nil {
				l.Buddies, err = v.Buddies(ctx, owner)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	a.print(l, func(w io.Writer) error {
		var b strings.Builder
		b.WriteString("list\n")
		for _, u := range l.Watching {
			fmt.Fprintf(&b, "  watching %s %s\n", u.Entity, u.State)
		}
		for _, u := range l.Sessions {
			fmt.Fprintf(&b, "  session %s %s\n", u.Entity, u.State)
		}
		for _, buddy := range l.Buddies {
			fmt.Fprintf(&b, "  buddy %s\n", buddy)
		}
		_, err := io.WriteString(w, b.String())
		return err
	})
	return nil
}

// rule sets what a watcher gets, where the servers look it up.
func rule(handling db.Handling) func(*agent, context.Context, []string) error {
	return func(a *agent, ctx context.Context, args []string) error {
		if a.opts.xcap != "" {
			return a.device.Decide(ctx, a.opts.xcap, args[0], handling)
		}
		if a.opts.directory == "" {
			return errors.New("where are the rules? Start the agent with --xcap URL, or --directory FILE")
		}
		o := directoryPolicyOptions{
			directoryOptions: directoryOptions{con: a.opts.con, path: a.opts.directory},
			presentity:       strings.TrimPrefix(a.device.AOR(), "sip:"), watcher: args[0], handling: string(handling),
		}
		return o.open(ctx, func(d *db.DB) error {
			return d.Update(ctx, func(t *db.Tx) error {
				r, err := o.rule(ctx, t.View)
				if err == nil {
					err = t.SetRule(r)
				}
				return err
			})
		})
	}
}

// session is one with a user: for messages if there is one, else of a file; nil:
// there is none.
func (a *agent) session(target string) (found *client.Session) {
	for _, s := range a.device.Sessions() {
		if sameUser(s.Peer(), target) && (found == nil || found.ForFile()) {
			found = s
		}
	}
	return found
}

// talk is a session for messages.
func (a *agent) talk(target string) *client.Session {
	if s := a.session(target); s != nil && !s.ForFile() {
		return s
	}
	return nil
}

func (a *agent) im(ctx context.Context, args []string) error {
	s := a.talk(args[0])
	if s != nil && (s.Established() || s.Calling()) {
		return say(ctx, s, a.envelope, args[1])
	}
	if !a.envelope.Needed() {
		_, err := a.device.IM(ctx, args[0], args[1])
		return err
	}
	s, err := a.device.IM(ctx, args[0], "") // whether the peer takes it is known then
	if err != nil {
		return err
	}
	return say(ctx, s, a.envelope, args[1])
}

func (a *agent) reply(ctx context.Context, args []string) error {
	a.mu.Lock()
	last := a.last
	a.mu.Unlock()
	s := a.talk(last)
	if last == "" || s == nil {
		return errors.New("there is no session to reply in")
	}
	if !s.Established() {
		if err := s.Accept(ctx); err != nil {
			return err
		}
	}
	return say(ctx, s, a.envelope, args[0])
}

func (a *agent) sendFile(ctx context.Context, args []string) error {
	return a.device.SendFile(ctx, args[0], args[1], client.FileOptions{Timeout: a.opts.device.timeout})
}

func (a *agent) bye(ctx context.Context, args []string) error {
	s := a.session(args[0])
	if s == nil {
		return fmt.Errorf("there is no session with %s", args[0])
	}
	return s.Close(ctx)
}

func (a *agent) sleep(ctx context.Context, args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return nil
}
