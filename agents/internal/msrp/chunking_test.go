package msrp

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Two messages in any chunks, cut in the middle of characters, some sent again
// or overlapping, in any order and mixed with each other, are what was sent.
func TestAnyChunking(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	_ = p.conn.SetDeadline(time.Now().Add(time.Minute))
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		type chunk struct {
			id, at, body string
			flag         Flag
		}
		var all []chunk
		want := map[string]string{}
		for i := range 2 {
			id := fmt.Sprintf("m%04d-%d", round, i)
			body := rapid.StringMatching(`[a-zäßé€😀\r\n-]{1,40}`).Draw(t, "body")
			want[id] = body
			for at := 0; at < len(body); {
				n := rapid.IntRange(1, len(body)-at).Draw(t, "length")
				from := max(0, at-rapid.IntRange(0, 5).Draw(t, "overlap"))
				end, total, flag := fmt.Sprint(at+n), fmt.Sprint(len(body)), More
				if rapid.Bool().Draw(t, "no end") {
					end = "*"
				}
				if rapid.Bool().Draw(t, "no total") {
					total = "*"
				}
				if at += n; at == len(body) {
					flag = Last
				}
				c := chunk{id, fmt.Sprintf("%d-%s/%s", from+1, end, total), body[from:at], flag}
				all = append(all, c)
			}
		}
		for i, c := range rapid.Permutation(all).Draw(t, "order") {
			id := fmt.Sprintf("r%d-%d", round, i+1000)
			p.send(s, "MSRP "+id+" SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: "+c.id+"\nByte-Range: "+c.at+"\nContent-Type: text/plain\n\n")
			if _, err := fmt.Fprintf(p.conn, "%s\r\n-------%s%c\r\n", c.body, id, c.flag); err != nil {
				t.Fatal(err)
			}
			if f, _, _ := p.frame(); f.Transaction != id || f.Status != 200 {
				t.Fatalf("%+v: %+v", c, f)
			}
		}
		for range want {
			select {
			case m := <-inbox.messages:
				if string(m.Body) != want[m.ID] {
					t.Fatalf("%s: %q, want %q", m.ID, m.Body, want[m.ID])
				}
			case <-time.After(patience):
				t.Fatal("nothing came")
			}
		}
	})
}

// Half a message is not kept for ever.
func TestHalfAMessageIsGivenUp(t *testing.T) {
	c, ended := newWatchedClock(), make(chan error, 1)
	s, p := bound(t, Config{Clock: c}, SessionConfig{Accept: func(Incoming) (Sink, error) { return endSink{ended}, nil }})
	chunk := func(at string) int {
		p.send(s, "MSRP chunk001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: half\nByte-Range: "+at+"\nContent-Type: a/b\n\nx\n-------chunk001+\n")
		f, _, _ := p.frame()
		return f.Status
	}
	if code := chunk("1-1/3"); code != 200 {
		t.Fatal(code)
	}
	c.await(t, 10*time.Minute)
	c.Advance(10*time.Minute - 1)
	if code := chunk("2-2/3"); code != 200 {
		t.Fatal(code)
	}
	c.await(t, 10*time.Minute)
	c.Advance(10 * time.Minute)
	if err := await(t, ended); err == nil {
		t.Error("it ended well")
	}
	if code := chunk("3-3/3"); code != 413 {
		t.Errorf("its last chunk is answered %d", code)
	}
}

// What has been answered goes out before the endpoint ends.
func TestQueuedAnswersGoOutAtTheEnd(t *testing.T) {
	e, err := Listen(Config{Listen: loopback, Limits: Limits{Linger: patience}})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- e.Run(t.Context()) }()
	s := newSession(t, e, SessionConfig{})
	p := dialPeer(t, e)
	p.send(s, "MSRP bind0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: bind\n-------bind0001$\n")
	p.frame()
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	const many = 50_000
	for range many { // more than the sockets hold
		f := &Frame{Transaction: "some0001", Method: MethodSend, Headers: Headers{{headerToPath, s.address}, {headerFromPath, peerURI}}}
		r := Frame{Transaction: f.Transaction, Status: 200, Headers: Headers{{headerToPath, peerURI}, {headerFromPath, s.address}}}
		if err := c.out.push(nil, outgoing{raw: r.AppendEnd(r.AppendHead(nil), Last)}); err != nil {
			t.Fatal(err)
		}
	}
	go e.Close()
	for i := range many {
		if f, err := p.r.Next(); err != nil {
			t.Fatalf("after %d of %d: %v", i, many, err)
		} else if f.Status != 200 {
			t.Fatalf("%+v", f)
		}
	}
	p.closed()
	<-ran
}
