package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/programs"
)

// TestSIPpEarly has a device of ours and a SIPp call each other through a server,
// with reliable responses and early sessions.
func TestSIPpEarly(t *testing.T) {
	programs.Need(t, "sipp", "sip-tester", "reliable responses and early sessions against SIPp")
	binary := programs.Ours(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport+" called", func(t *testing.T) {
			s := startSippServer(t, binary, transport, "--no-auth")
			bob, heard := s.device(t, "bob")
			answered := make(chan error, 1)
			go func() {
				await(t, heard, "session", "early")
				answered <- bob.Sessions()[0].Accept(t.Context()) // waits for the PRACK
			}()
			s.run(t, "invite-reliable")
			if err := <-answered; err != nil {
				t.Error(err)
			}
			await(t, heard, "closed", "")
		})
		t.Run(transport+" calls", func(t *testing.T) {
			s := startSippServer(t, binary, transport, "--no-auth")
			port := freePort(t)
			s.as("bob").run(t, "register-open", "-p", port)
			path, said := listenMSRP(t)
			answered := make(chan string, 1)
			code := -1
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			go func() {
				var out string
				code, out = s.as("bob").try(ctx, t, "answer-reliable", "-p", port,
					"-key", "main", path("main"), "-key", "early", path("early"))
				answered <- out
			}()
			s.awaitListener(ctx, port)
			alice, heard := s.device(t, "alice")
			var refused *client.RefusedError
			session, err := alice.IM(ctx, "bob", "R u there")
			for errors.As(err, &refused) && refused.Status() == 500 && ctx.Err() == nil { // sipp has no socket yet
				session, err = alice.IM(ctx, "bob", "R u there")
			}
			if err == nil {
				err = session.Answered(ctx)
			}
			if err == nil {
				err = session.Close(ctx)
			}
			if out := <-answered; err != nil || code != 0 {
				t.Fatalf("%v; sipp: exit code %d\n%s", err, code, out)
			}
			await(t, heard, "sent", "early")
			for _, want := range []string{"early R u there", "main "} { // shown, then bound without words
				if got := <-said; got != want {
					t.Errorf("sent %q, want %q", got, want)
				}
			}
		})
	}
}

// device is one of ours at that server.
func (s sippServer) device(t *testing.T, user string) (*client.Client, <-chan client.Event) {
	t.Helper()
	heard := make(chan client.Event, 100)
	c, err := client.New(client.Config{Name: user + "-pc", User: user + "@example.com", Answer: client.AnswerEarly,
		Server: s.transport + ":" + s.addr, OnEvent: func(e client.Event) { heard <- e }})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, c.Run)
	if _, err := c.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	return c, heard
}

func serves(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// await passes over events up to one of that type, and of that state unless it
// is empty.
func await(t *testing.T, heard <-chan client.Event, typ, state string) {
	t.Helper()
	for end := time.After(20 * time.Second); ; {
		select {
		case e := <-heard:
			if e.Type == typ && (state == "" || e.State == state) {
				return
			}
		case <-end:
			t.Errorf("never heard: %s %s", typ, state)
			return
		}
	}
}

// listenMSRP is an end for messages beside SIPp, which has none: it answers every
// SEND with 200 and gives what it said, after the last part of its To-Path.
func listenMSRP(t *testing.T) (path func(session string) string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	said := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerSENDs(conn, said)
		}
	}()
	return func(session string) string { return "msrp://" + l.Addr().String() + "/" + session + ";tcp" }, said
}

func answerSENDs(conn net.Conn, said chan<- string) {
	defer conn.Close() // by the device that connected
	head := map[string]string{}
	var id, text string
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		name, value, field := strings.Cut(line, ": ")
		switch {
		case strings.HasPrefix(line, "MSRP "):
			head, id, text = map[string]string{}, strings.Fields(line)[1], ""
		case line == "-------"+id+"$":
			to := strings.TrimSuffix(head["To-Path"], ";tcp")
			said <- to[strings.LastIndex(to, "/")+1:] + " " + text
			fmt.Fprintf(conn, "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n", id, head["From-Path"], head["To-Path"], id)
		case field:
			head[name] = value
		default:
			text += line
		}
	}
}
