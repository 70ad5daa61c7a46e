package main

import (
	"context"
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
