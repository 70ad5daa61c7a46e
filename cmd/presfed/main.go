// Command presfed federates presence and instant messaging inside one domain,
// on the wire protocols themselves.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(supervise(os.Args[1:], newConsole(os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)))
}

// supervise runs one command line. The first signal lets it end cleanly, the
// second ends it at once.
func supervise(args []string, con *console) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- execute(ctx, args, con) }()

	for interrupted := false; ; interrupted = true {
		select {
		case code := <-done:
			return code
		case <-signals:
			if interrupted {
				return exitInterrupted
			}
			cancel()
		}
	}
}

// execute runs one command line and reports its error, once.
func execute(ctx context.Context, args []string, con *console) int {
	con.readGlobals(args)
	root := newRoot(con)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	f := classify(ctx, err)
	con.reportError(f)
	return f.code
}
