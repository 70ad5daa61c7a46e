package main

import (
	"encoding/json"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// hang stops a role of a bed in its tracks: "hang PROCESSES.JSON ROLE".
func hang(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hang PROCESSES.JSON ROLE")
	}
	var roles []struct {
		Name string
		PID  int
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &roles))
	for _, r := range roles {
		if r.Name == args[1] {
			ts.Check(syscall.Kill(r.PID, syscall.SIGSTOP))
			return
		}
	}
	ts.Fatalf("no role is called %s", args[1])
}
