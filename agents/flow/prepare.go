package flow

import (
	"context"
	"fmt"
	"slices"

	"presfed/pidf"
)

// What stands before flows. Each part does only what is not so already.

// registered has devices registered.
func registered(names ...string) part {
	return func(ctx context.Context, r *Runner) error {
		for _, name := range names {
			if r.registered[name] {
				continue
			}
			if err := act(name, func(ctx context.Context, a Actor) error { return a.Register(ctx) })(ctx, r); err != nil {
				return err
			}
			r.registered[name] = true
		}
		return nil
	}
}

// says has a device publish a document.
func says(name string, document func(Facts) pidf.Facts) part {
	return func(ctx context.Context, r *Runner) error {
		body := pidf.Write(pidf.Build(document(r.stage.Facts())), pidf.Standard)
		if r.published[name] == string(body) {
			return nil
		}
		r.published[name] = "" // whatever comes of it
		err := act(name, func(ctx context.Context, a Actor) error { return a.Publish(ctx, body) })(ctx, r)
		if err == nil {
			r.published[name] = string(body)
		}
		return err
	}
}

// silent has a device take back what it has published.
func silent(name string) part {
	return func(ctx context.Context, r *Runner) error {
		if document, once := r.published[name]; !once || document == nothing {
			return nil
		}
		err := act(name, func(ctx context.Context, a Actor) error { return a.Unpublish(ctx) })(ctx, r)
		if err == nil {
			r.published[name] = nothing
		}
		return err
	}
}

// nothing is what a device has published that has taken it back.
const nothing = "-"

// watch is a device that watches a user.
type watch struct{ device, user string }

// watches and ignores say whether a device watches a user.
func watches(device, user string) part { return setWatch(watch{device, user}, true) }

func ignores(device, user string) part { return setWatch(watch{device, user}, false) }

func setWatch(w watch, want bool) part {
	return func(ctx context.Context, r *Runner) error {
		if r.watching[w] == want {
			return nil
		}
		err := act(w.device, func(ctx context.Context, a Actor) error {
			if want {
				return a.Watch(ctx, w.user)
			}
			return a.Unwatch(ctx, w.user)
		})(ctx, r)
		if err == nil {
			r.watching[w] = want
		}
		return err
	}
}

// unasked waits until no subscription stands that one server opened at the other:
// those to a share stay for a while when nobody needs them any more.
func unasked(from, to string) part {
	return func(ctx context.Context, r *Runner) error {
		for {
			records, more := r.records()
			if !slices.ContainsFunc(open(observe(slices.Concat(r.standing, records), &Facts{})), func(o *observed) bool { return o.From == from && o.To == to }) {
				return nil
			}
			if err := r.more(ctx, more); err != nil {
				return fmt.Errorf("a subscription of %s at %s does not end: %w", from, to, err)
			}
		}
	}
}

// hungUp ends the session that a call of Bob's has left.
func hungUp(ctx context.Context, r *Runner) error {
	if !r.talking {
		return nil
	}
	r.talking = false
	return act(BobPC, func(ctx context.Context, a Actor) error { return a.Bye(ctx, "alice") })(ctx, r)
}

// bobIs is the status of Bob's PC.
func bobIs(status pidf.Status, note string) part {
	return says(BobPC, func(f Facts) pidf.Facts {
		bob := "sip:bob@" + f.Domain
		return pidf.Facts{Entity: bob, Status: status, Note: note, Lang: "en", PersonID: "p1", Services: []pidf.Service{
			{ID: "frh78", Contact: bob, Priority: priority(0.5), Capabilities: []string{"text", "text/plain"}},
		}}
	})
}

// deskPhone is what Bob's phone says: that it is there.
var deskPhone = says(BobPhone, func(f Facts) pidf.Facts {
	return pidf.Facts{Entity: "sip:bob@" + f.Domain, Status: pidf.StatusOpen, NoPerson: true, Services: []pidf.Service{
		{ID: "fahsaf-hfes-89saf", Contact: "sip:89991234@" + f.host(BobPhone), Priority: priority(0.4), Capabilities: []string{"audio"}},
	}}
})

// partitioned is Alice on server-a with her PC, and Bob on server-b with both of
// his devices, available.
var partitioned = parts(registered(AlicePC, BobPC, BobPhone), bobIs(pidf.StatusOpen, "I am Active"), deskPhone)

// aliceIs is the status of Alice's PC, where somebody types.
func aliceIs(status pidf.Status, note string) part {
	return says(AlicePC, func(f Facts) pidf.Facts {
		alice := "sip:alice@" + f.Domain
		return pidf.Facts{Entity: alice, Status: status, Note: note, Lang: "en", PersonID: "p1", Services: []pidf.Service{
			{ID: "0983wqh", Contact: alice, Priority: priority(0.5), Capabilities: []string{"text", "text/plain"}, UserInput: "active"},
		}}
	})
}

// phoneIs says whether Alice's phone takes calls; it takes messages.
func phoneIs(voice pidf.Basic) part {
	return says(AlicePhone, func(f Facts) pidf.Facts {
		alice := "sip:alice@" + f.Domain
		return pidf.Facts{Entity: alice, Status: pidf.StatusOpen, NoPerson: true, Services: []pidf.Service{
			{ID: "fabfa341", Contact: "sip:85551234@" + f.host(AlicePhone), Priority: priority(0.8), Capabilities: []string{"audio"}, Basic: voice},
			{ID: "frh78", Contact: alice, Priority: priority(0.5), Capabilities: []string{"text", "text/plain"}},
		}}
	})
}

// meets and free say whether Alice's calendar has a meeting now.
func meets(ctx context.Context, r *Runner) error { return setMeeting(ctx, r, true) }

func free(ctx context.Context, r *Runner) error { return setMeeting(ctx, r, false) }

func setMeeting(ctx context.Context, r *Runner, on bool) error {
	if r.meeting == on {
		return nil
	}
	f, err := r.stage.Feeder(Calendar)
	if err == nil {
		err = f.Meeting(ctx, on)
	}
	if err == nil {
		r.meeting = on
	}
	return err
}

// alicePublished is Alice on both servers, a device on each, available.
var alicePublished = parts(registered(AlicePC, AlicePhone), phoneIs(pidf.Open), aliceIs(pidf.StatusOpen, "I am Active"))

// loggedIn is what 4.2.1.1 leaves behind, with Bob on his PC.
var loggedIn = parts(alicePublished, free, watches(AlicePC, "alice"), registered(BobPC))

func priority(q float64) pidf.Priority {
	p, _ := pidf.NewPriority(q) // the zero value, none, for what is no priority
	return p
}
