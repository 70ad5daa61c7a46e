package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
)

const buddies = "sip:alice@example.com;list=buddies"

// relatedTo is a list's body by hand; of each row "name state text".
func relatedTo(version int, full bool, rows ...string) []string {
	var meta, parts strings.Builder
	for i, row := range rows {
		name, rest, _ := strings.Cut(row, " ")
		state, text, _ := strings.Cut(rest, " ")
		fmt.Fprintf(&meta, `<resource uri="sip:%s@example.com">`, name)
		switch {
		case text != "":
			fmt.Fprintf(&meta, `<instance id="x" state="%s" cid="c%d"/>`, state, i)
			fmt.Fprintf(&parts, "--b\r\nContent-ID: <c%d>\r\nContent-Type: application/pidf+xml\r\n\r\n", i)
			fmt.Fprintf(&parts, `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com"><tuple id="t"><status><basic>%s</basic></status></tuple></presence>`+"\r\n", name, text)
		case state != "":
			fmt.Fprintf(&meta, `<instance id="x" state="%s" reason="rejected"/>`, state)
		}
		meta.WriteString("</resource>")
	}
	return []string{"Require", "eventlist", "Content-Type", `multipart/related;type="application/rlmi+xml";start="<root>";boundary=b`, "", fmt.Sprintf(
		"--b\r\nContent-ID: <root>\r\nContent-Type: application/rlmi+xml\r\n\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"%s\" version=\"%d\" fullState=\"%t\">%s</list>\r\n%s--b--\r\n",
		buddies, version, full, meta.String(), parts.String())}
}

// tells sends a NOTIFY with a body, which stands behind the empty name.
func (f *far) tells(to *device, sub *message.Request, cseq int, state string, fields []string, want int) {
	f.t.Helper()
	last := len(fields) - 2
	req := f.notify(sub, "n", cseq, state, fields[:last]...)
	message.SetBody(req, message.Get(req, "Content-Type"), []byte(fields[last+1]))
	f.notifies(to, req, want)
}

func (d *device) listed(want ...string) {
	d.t.Helper()
	for _, w := range want {
		var e client.Event
		select {
		case e = <-d.events:
		case <-time.After(20 * time.Second):
			d.t.Fatalf("no event, want %s", w)
		}
		got := e.Type + " " + strings.TrimPrefix(e.Entity, "sip:") + " " + e.State
		if e.Reason != "" {
			got += "/" + e.Reason
		}
		if len(e.Tuples) > 0 {
			got += " " + e.Tuples[0].Basic
		}
		if got != w || (e.List == buddies) != (e.Type == "presence") {
			d.t.Errorf("told %q (%s), want %q", got, e.List, w)
		}
	}
}

func listing(t *testing.T, d *device, expires time.Duration) (result func() (*client.Subscription, error)) {
	type outcome struct {
		sub *client.Subscription
		err error
	}
	done := make(chan outcome, 1)
	ctx := timeout(t)
	go func() {
		sub, err := d.Subscribe(ctx, d.BuddyList(), client.SubscribeOptions{Expires: expires, List: true})
		done <- outcome{sub, err}
	}()
	return func() (*client.Subscription, error) { o := <-done; return o.sub, o.err }
}

func TestAList(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := listing(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	req := tx.Request()
	for _, kind := range []string{"multipart/related", "application/rlmi+xml", "application/pidf+xml"} {
		if !message.HasToken(req, "Accept", kind) {
			t.Errorf("%s is not accepted", kind)
		}
	}
	if req.Recipient.String() != buddies || message.Get(req, "Supported") != "eventlist" || message.Has(req, "Require") {
		t.Errorf("%s", message.Bytes(req))
	}
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact(), "Require", "eventlist")
	sub, err := result()
	if err != nil || !sub.List() || sub.Target() != buddies {
		t.Fatal(err)
	}
	f.tells(d, req, 1, "active;expires=3600", relatedTo(0, true, "bob active open", "carol", "dave terminated"), 200)
	d.listed("buddies alice@example.com;list=buddies active", "presence bob@example.com active open", "presence dave@example.com terminated/rejected")
	f.tells(d, req, 2, "active;expires=3600", relatedTo(1, false, "carol active closed"), 200)
	d.listed("presence carol@example.com active closed")
	f.tells(d, req, 3, "active;expires=3600", relatedTo(1, false, "carol active open"), 200)                  // old
	f.tells(d, req, 4, "active;expires=3600", relatedTo(2, true, "bob active open", "carol"), 200)            // of carol nothing is known any more
	d.listed("presence carol@example.com ", "presence dave@example.com terminated/removed")                   // bob is as he was
	f.tells(d, req, 5, "active;expires=3600", []string{"Content-Type", "application/pidf+xml", "", "x"}, 415) // no list any more
	f.tells(d, req, 6, "active;expires=3600", append(relatedTo(3, false)[:5], "--b\r\n"), 400)
	f.tells(d, req, 7, "active;expires=3600", relatedTo(4, false, "bob active closed"), 200) // one is missing
	d.listed("presence bob@example.com active closed")
	again := f.asked("SUBSCRIBE")
	if message.Get(again.Request(), "Expires") != "3600" || message.Get(again.Request(), "Supported") != "eventlist" {
		t.Errorf("%s", message.Bytes(again.Request()))
	}
	f.answer(again, 200, "", "", "Expires", "3600", "Contact", f.contact(), "Require", "eventlist")
	f.tells(d, req, 8, "active;expires=3600", relatedTo(5, true, "bob active closed", "carol active open"), 200)
	d.listed("presence carol@example.com active open")
	f.notifies(d, f.notify(req, "n", 9, "terminated;reason=deactivated", "Require", "eventlist"), 200)
	d.listed("buddies alice@example.com;list=buddies terminated/deactivated")
	<-sub.Done()
}

// A server that does not know lists answers for the user: that is no list.
func TestNoList(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := listing(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	end := f.asked("SUBSCRIBE")
	if message.Get(end.Request(), "Expires") != "0" {
		t.Errorf("%s", message.Bytes(end.Request()))
	}
	f.answer(end, 200, "", "", "Expires", "0", "Contact", f.contact())
	if _, err := result(); !errors.Is(err, client.ErrNoList) {
		t.Errorf("%v", err)
	}
	f.notifies(d, f.notify(tx.Request(), "n", 1, "terminated;reason=timeout"), 481)
	if len(d.Subscriptions()) != 0 || len(d.events) != 0 {
		t.Errorf("left: %v, told %d", d.Subscriptions(), len(d.events))
	}
}

// TestWhatAServerSaysItHas: a device asks for lists and for its user's watchers only
// where the answer to its REGISTER says that there are any.
func TestWhatAServerSaysItHas(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	for _, says := range []struct{ supported, allowEvents string }{
		{"", ""}, {"path, eventlist", "presence"}, {"path", "presence, presence.winfo"}, {"eventlist", "presence.winfo"}, {"", ""},
	} {
		done := make(chan error, 1)
		go func() {
			_, err := d.Register(context.Background(), time.Hour)
			done <- err
		}()
		fields := []string{"Expires", "3600"}
		if says.supported != "" {
			fields = append(fields, "Supported", says.supported)
		}
		if says.allowEvents != "" {
			fields = append(fields, "Allow-Events", says.allowEvents)
		}
		f.answer(f.asked("REGISTER"), 200, "r", "", fields...)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(says.supported, "eventlist"); d.HasLists() != has {
			t.Errorf("%q: lists: %v, want %v", says, d.HasLists(), has)
		}
		if has := strings.Contains(says.allowEvents, "winfo"); d.HasWatchers() != has {
			t.Errorf("%q: watchers: %v, want %v", says, d.HasWatchers(), has)
		}
	}
}
