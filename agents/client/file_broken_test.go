package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/file"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// Who offers a file and sends none does not keep its place for ever.
func TestAFileThatDoesNotCome(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob, dir := taker(t, f.at(), func(c *client.Config) { c.Clock = manual })
	for range 2 {
		for range 16 {
			invite := f.invite(bob, fileOffer(newEnd(t).Session, "sendonly", "a=file-selector:size:3", "a=file-transfer-id:abcd"))
			res := f.ask(bob, message.Clone(invite))
			if res.StatusCode != 200 {
				t.Fatal(res.StatusCode)
			}
			f.tell(bob, f.within("ACK", "1", invite, res))
			bob.next("session")
		}
		last := f.ask(bob, f.invite(bob, fileOffer(newEnd(t).Session, "sendonly", "a=file-selector:size:3", "a=file-transfer-id:abcd")))
		if last.StatusCode != 486 {
			t.Errorf("one more: %d", last.StatusCode)
		}
		bob.next("file")
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && len(bob.Sessions()) > 0; { // each ACK has been read then
			manual.Advance(time.Minute)
			for range 16 {
				f.answer(f.asked("BYE"), 200, "", "")
			}
			for range 2 * 16 {
				if e := within(t, bob.events, "an end"); e.Type != "closed" && e.State != "failed" {
					t.Errorf("%+v", e)
				}
			}
		}
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

// A transfer that is broken off, at either end, leaves nothing, and either end says
// so.
func TestABrokenTransferLeavesNothing(t *testing.T) {
	path, _ := saved(t, "x.bin", 20<<20)
	for name, cut := range map[string]func(alice, bob *device, giveUp func()){
		"the sender gives up":  func(_, _ *device, giveUp func()) { giveUp() },
		"the receiver ends it": func(_, bob *device, _ func()) { go bob.Sessions()[0].Close(context.Background()) },
		"the receiver is gone": func(_, bob *device, _ func()) { go bob.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			bob, dir := taker(t, "tcp:127.0.0.1:9", nil)
			alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
			ctx, giveUp := context.WithCancel(timeout(t))
			defer giveUp()
			var once sync.Once
			probe, err := file.NewPart(dir)
			if err != nil {
				t.Fatal(err)
			}
			usual := len(names(t, dir)) // 0 where the file system knows files without a name
			if err := probe.Close(); err != nil {
				t.Error(err)
			}
			err = alice.SendFile(ctx, "bob", path, client.FileOptions{Progress: func(sent, _ int64) {
				if sent > 4<<20 {
					once.Do(func() {
						if there := names(t, dir); len(there) > usual {
							t.Errorf("%q while it comes: a kill would leave it", there)
						}
						cut(alice, bob, giveUp)
					})
				}
			}})
			if err == nil || ctx.Err() != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("SendFile: %v", err)
			}
			bob.next("session")
			if e := bob.next("file"); e.State != "failed" || e.Reason == "" {
				t.Errorf("%+v", e)
			}
			bob.next("closed")
			if left := names(t, dir); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
		})
	}
}

// What this machine's file system says is not for the peer, who is told that the file
// cannot be kept, and no path.
func TestAFileThatCannotBeKept(t *testing.T) {
	path, _ := saved(t, "x.bin", 1000)
	bob, dir := taker(t, "tcp:127.0.0.1:9", nil)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
	var refused *msrp.StatusError
	if err := alice.SendFile(timeout(t), "bob", path, client.FileOptions{}); !errors.As(err, &refused) || *refused != (msrp.StatusError{Code: 413, Comment: "it cannot be kept"}) {
		t.Errorf("SendFile: %v", err)
	}
	bob.next("session")
	if e := bob.next("file"); e.State != "failed" || !strings.Contains(e.Reason, dir) {
		t.Errorf("%+v", e)
	}
	bob.next("closed")
}

// A file may come in any order; its hash is that of the whole.
func TestAFileInAnyOrder(t *testing.T) {
	const content = "the quick brown fox"
	f := newFar(t)
	bob, dir := taker(t, f.at(), nil)
	far := newEnd(t)
	invite := f.invite(bob, fileOffer(far.Session, "sendonly", `a=file-selector:name:"x.txt" type:text/plain size:19 `+sum(content), "a=file-transfer-id:abcd"))
	res := f.ask(bob, message.Clone(invite))
	f.tell(bob, f.within("ACK", "1", invite, res))
	theirs, err := msrp.ParseDescription(res.Body())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", bob.MSRPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, part := range []struct {
		from, to int
		flag     string
	}{{11, 19, "$"}, {1, 12, "+"}} {
		fmt.Fprintf(conn, "MSRP part%04d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: file\r\nByte-Range: %d-%d/19\r\nContent-Type: text/plain\r\n\r\n%s\r\n-------part%04d%s\r\n",
			part.from, theirs.Path, far.LocalPath(), part.from, part.to, content[part.from-1:part.to], part.from, part.flag)
	}
	bob.next("session")
	if e := bob.next("file"); e.State != "complete" || e.File != filepath.Join(dir, "x.txt") {
		t.Errorf("%+v", e)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "x.txt")); err != nil || string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
	f.ask(bob, f.within("BYE", "2", invite, res))
	bob.next("closed")
}
