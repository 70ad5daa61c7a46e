package main

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"presfed/agents/bed"
)

// bedRole is one of the roles that a bed's processes.json names.
type bedRole struct {
	Name   string
	PID    int
	Listen []struct{ Transport, Addr string }
}

func bedRoleOf(ts *testscript.TestScript, file, name string) bedRole {
	var roles []bedRole
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &roles))
	for _, r := range roles {
		if r.Name == name {
			return r
		}
	}
	ts.Fatalf("no role is called %s", name)
	return bedRole{}
}

// hang stops a role of a bed in its tracks: "hang PROCESSES.JSON ROLE".
func hang(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hang PROCESSES.JSON ROLE")
	}
	ts.Check(syscall.Kill(bedRoleOf(ts, args[0], args[1]).PID, syscall.SIGSTOP))
}

// tidies ends a bed when the script does, if that has not: "tidies FOLDER...".
func tidies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: tidies FOLDER...")
	}
	for _, dir := range args {
		dir = ts.MkAbs(dir)
		ts.Defer(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, _ = bed.Down(ctx, dir) // an error is that there is none
		})
	}
}

// listens puts into a variable where a role of a bed listens: "listens VARIABLE
// PROCESSES.JSON ROLE TRANSPORT".
func listens(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: listens VARIABLE PROCESSES.JSON ROLE TRANSPORT")
	}
	for _, l := range bedRoleOf(ts, args[1], args[2]).Listen {
		if strings.EqualFold(l.Transport, args[3]) {
			ts.Setenv(args[0], l.Addr)
			return
		}
	}
	ts.Fatalf("%s does not listen for %s", args[2], args[3])
}
