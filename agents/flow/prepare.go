package flow

import (
	"context"

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

// watches and ignores say whether Alice's PC watches Bob.
func watches(ctx context.Context, r *Runner) error { return setWatch(ctx, r, true) }

func ignores(ctx context.Context, r *Runner) error { return setWatch(ctx, r, false) }

func setWatch(ctx context.Context, r *Runner, want bool) error {
	if r.watching == want {
		return nil
	}
	const bob = "bob"
	if want {
		// Both halves of every message before must be there to be counted.
		records, err := r.settle(ctx, answered)
		if err != nil {
			return err
		}
		r.watched = r.base + len(records)
	}
	err := act(AlicePC, func(ctx context.Context, a Actor) error {
		if want {
			return a.Watch(ctx, bob)
		}
		return a.Unwatch(ctx, bob)
	})(ctx, r)
	if err == nil {
		r.watching = want
	}
	return err
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
	host := f.Domain
	if phone := f.participant(BobPhone); len(phone.Addresses) > 0 {
		host = phone.Addresses[0].Addr().String()
	}
	return pidf.Facts{Entity: "sip:bob@" + f.Domain, Status: pidf.StatusOpen, NoPerson: true, Services: []pidf.Service{
		{ID: "fahsaf-hfes-89saf", Contact: "sip:89991234@" + host, Priority: priority(0.4), Capabilities: []string{"audio"}},
	}}
})

// partitioned is Alice on server-a with her PC, and Bob on server-b with both of
// his devices, available.
var partitioned = parts(registered(AlicePC, BobPC, BobPhone), bobIs(pidf.StatusOpen, "I am Active"), deskPhone)

func priority(q float64) pidf.Priority {
	p, _ := pidf.NewPriority(q) // the zero value, none, for what is no priority
	return p
}
