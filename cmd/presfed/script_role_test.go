package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// role listens on a socket and speaks a role's control protocol from outside:
// "role SOCKET NAME LINES [ends]". It is ready at once, and its records are the lines
// of a file; a client that follows gets them and then nothing more, until the
// script ends. With "ends" behind it the role ends after its records.
func role(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: role SOCKET NAME LINES [ends]")
	}
	ends := len(args) > 3
	lines := ts.ReadFile(args[2])
	l, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	var open sync.WaitGroup
	done := make(chan struct{})
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				serveRole(conn, args[1], lines, ends, done)
			})
		}
	})
	ts.Defer(func() {
		close(done)
		_ = l.Close()
		open.Wait()
	})
}

func serveRole(conn net.Conn, name, lines string, ends bool, done <-chan struct{}) {
	requests := bufio.NewScanner(conn)
	if !requests.Scan() {
		return
	}
	var req struct {
		Op     string
		Follow bool
	}
	if json.Unmarshal(requests.Bytes(), &req) != nil {
		return
	}
	switch req.Op {
	case "ready":
		fmt.Fprintf(conn, `{"type":"ready","participant":%q}`+"\n", name)
	case "records":
		fmt.Fprint(conn, lines)
		if req.Follow && !ends {
			<-done
		}
		fmt.Fprintln(conn, `{"type":"end"}`)
	}
}
