package interop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that a program shows by itself.
const patience = 15 * time.Second

// running is a program that runs, with all that it has said so far.
type running struct {
	t     *testing.T
	name  string
	stdin io.WriteCloser
	ended chan struct{}

	mu   sync.Mutex
	said bytes.Buffer
	seen int           // what an await has gone past
	more chan struct{} // closed and made anew with each write
}

// run starts a program, which ends with the test.
func run(t *testing.T, name string, environment []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, name: name, more: make(chan struct{}), ended: make(chan struct{})}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(cmd.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = r, r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its children, which some have
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var err error
	if r.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-r.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, r.all())
		}
	})
	return r
}

// Write takes what the program says.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said.Write(p)
	close(r.more)
	r.more = make(chan struct{})
	return len(p), nil
}

func (r *running) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// tell gives it a line of input.
func (r *running) tell(line string) {
	r.t.Helper()
	if _, err := io.WriteString(r.stdin, line+"\n"); err != nil {
		r.t.Fatalf("%s: %q: %v", r.name, line, err)
	}
}

// await waits for a line with all the words, after the one that was found last.
func (r *running) await(words ...string) {
	r.t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		more := r.more
		rest := r.said.Bytes()[r.seen:]
		for at := 0; ; {
			end := bytes.IndexByte(rest[at:], '\n')
			if end < 0 {
				break
			}
			if hasAll(string(rest[at:at+end]), words) {
				r.seen += at + end + 1
				r.mu.Unlock()
				return
			}
			at += end + 1
		}
		r.mu.Unlock()
		select {
		case <-more:
		case <-r.ended:
			r.t.Fatalf("%s ended without a line that has %q", r.name, words)
		case <-late:
			r.t.Fatalf("%s: no line that has %q", r.name, words)
		}
	}
}

func hasAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// end waits until it has ended by itself.
func (r *running) end() {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("%s does not end", r.name)
	}
}

// once runs a program to its end: what it says, and its exit code.
func once(ctx context.Context, t *testing.T, input, name string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Errorf("%s: %v", name, err)
		return string(out), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}
