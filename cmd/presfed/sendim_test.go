package main

import (
	"bufio"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
)

// TestSendIM: the text arrives, by session, by page, and from standard input.
func TestSendIM(t *testing.T) {
	heard := make(chan client.Event, 10)
	bob, err := client.New(client.Config{Name: "bob-pc", User: "bob@example.com", Answer: client.AnswerAuto, OnEvent: func(e client.Event) {
		if e.Type == "im" {
			heard <- e
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); bob.Run(ctx) }()
	defer func() { stop(); <-done }()
	for _, more := range [][]string{{"Are", "you", "there?"}, {"Are you there?", "--page"}, nil} {
		var out strings.Builder
		con := newConsole(strings.NewReader("Are you there?"), &out, &out, func(string) (string, bool) { return "", false })
		args := append([]string{"send-im", "bob", "--user", "alice@example.com", "--server", "tcp:" + bob.Addr("TCP").String()}, more...)
		if code := execute(t.Context(), args, con); code != exitDone {
			t.Fatalf("%v: exit code %d\n%s", more, code, out.String())
		}
		select {
		case e := <-heard:
			if want := map[bool]string{false: "session", true: "page"}[slices.Contains(more, "--page")]; e.Text != "Are you there?" || e.Via != want {
				t.Errorf("%v: bob heard %+v", more, e)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%v: bob heard nothing\n%s", more, out.String())
		}
	}
}

// What is shown early and answered by nobody was not answered: exit code 4. It
// is answered: 0; interrupted: 130. The text is shown once in any case, also if it
// comes from standard input.
func TestSendIMEarly(t *testing.T) {
	for _, ends := range []string{"answered", "from standard input", "time is up", "interrupted"} {
		heard := make(chan client.Event, 10)
		bob, err := client.New(client.Config{Name: "bob-pc", User: "bob@example.com", Answer: client.AnswerEarly, OnEvent: func(e client.Event) {
			if e.Type == "im" || e.Type == "closed" {
				heard <- e
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); bob.Run(ctx) }()
		var out strings.Builder
		input, text := "", []string{"R u there"}
		if ends == "from standard input" {
			input, text = text[0], nil
		}
		con := newConsole(strings.NewReader(input), &out, &out, func(string) (string, bool) { return "", false })
		code := make(chan int, 1)
		wait := map[bool]string{true: "1s", false: "20s"}[ends == "time is up"]
		typing, interrupt := context.WithCancel(t.Context())
		go func() {
			code <- execute(typing, append([]string{"send-im", "bob", "--user", "alice@example.com",
				"--server", "tcp:" + bob.Addr("TCP").String(), "--timeout", wait}, text...), con)
		}()
		if e := <-heard; e.Text != "R u there" || e.State != "early" {
			t.Errorf("%+v", e)
		}
		want, says := exitTimeout, "nobody has answered yet within 1s"
		switch ends {
		case "answered", "from standard input":
			want, says = exitDone, "state=established"
			if err := bob.Sessions()[0].Accept(t.Context()); err != nil {
				t.Error(err)
			}
		case "interrupted":
			want, says = exitInterrupted, "interrupted"
			interrupt()
		}
		if got := <-code; got != want || !strings.Contains(out.String(), says) || ends != "interrupted" && !strings.Contains(out.String(), "sent state=early") {
			t.Errorf("%s: exit code %d, want %d\n%s", ends, got, want, out.String())
		}
		if e := <-heard; e.Type != "closed" {
			t.Errorf("%+v", e)
		}
		interrupt()
		stop()
		<-done
	}
}

// A chat goes both ways until /bye, and ends when the other end does.
func TestChat(t *testing.T) {
	for _, ends := range []string{"/bye", "the peer's BYE", "the end of the input", "an interrupt"} {
		t.Run(ends, func(t *testing.T) {
			heard := make(chan client.Event, 10)
			bob, err := client.New(client.Config{Name: "bob-pc", User: "bob@example.com", Answer: client.AnswerAuto, OnEvent: func(e client.Event) {
				if e.Type == "im" || e.Type == "closed" {
					heard <- e
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); bob.Run(ctx) }()
			defer func() { stop(); <-done }()
			typed, keys := io.Pipe()
			shown, out := io.Pipe()
			con := newConsole(typed, out, io.Discard, func(string) (string, bool) { return "", false })
			code := make(chan int, 1)
			typing, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			go func() {
				code <- execute(typing, []string{"send-im", "bob", "Hello", "-i", "--user", "alice@example.com", "--server", "tcp:" + bob.Addr("TCP").String()}, con)
				out.Close()
			}()
			screen := make(chan string, 100) // who prints does not wait for who reads
			go func() {
				defer close(screen)
				for lines := bufio.NewScanner(shown); lines.Scan(); {
					screen <- lines.Text()
				}
			}()
			until := func(want string) {
				t.Helper()
				for line := range screen {
					if strings.Contains(line, want) {
						return
					}
				}
				t.Fatalf("the screen never showed %q", want)
			}
			hears := func(want string) {
				t.Helper()
				select {
				case e := <-heard:
					if e.Text != want && e.Type != want {
						t.Fatalf("bob heard %+v, want %q", e, want)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("bob never heard %q", want)
				}
			}
			hears("Hello")
			until("sent")
			io.WriteString(keys, "Are you there?\n\n")
			hears("Are you there?")
			until("sent")
			session := bob.Sessions()[0]
			if err := session.Send(t.Context(), "Yes"); err != nil {
				t.Fatal(err)
			}
			until(`text="Yes"`)
			switch ends {
			case "/bye":
				io.WriteString(keys, "/bye\n")
			case "the end of the input":
				keys.Close()
			case "an interrupt":
				interrupt()
			default:
				if err := session.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			until("closed")
			hears("closed")
			want := exitDone
			if ends == "an interrupt" {
				want = exitInterrupted
			}
			if c := <-code; c != want {
				t.Errorf("exit code %d, want %d", c, want)
			}
			keys.Close()
		})
	}
}
