package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"presfed/agents/programs"
)

// TestSIPp has SIPp, which shares no code with us, speak to server-a.
func TestSIPp(t *testing.T) {
	programs.Need(t, "sipp", "sip-tester", "the server against SIPp")
	binary := programs.Ours(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			closed := startSippServer(t, binary, transport, "--digest-algorithms", "MD5")
			closed.run(t, "register", "-au", "alice", "-ap", "wonderland")
			closed.run(t, "register-wrong", "-au", "alice", "-ap", "guess")

			open := startSippServer(t, binary, transport, "--no-auth")
			open.run(t, "invite-refused")
			open.as("bob").run(t, "publish")
			open.run(t, "subscribe")
			port := freePort(t)
			open.as("bob").run(t, "register-open", "-p", port)
			open.call(t, port)
		})
	}
}

// TestSIPpCanFail: a scenario that asks for what does not happen must be seen.
func TestSIPpCanFail(t *testing.T) {
	programs.Need(t, "sipp", "sip-tester", "that a failing SIPp scenario is noticed")
	open := startSippServer(t, programs.Ours(t), "udp", "--no-auth")
	code, out := open.try(t.Context(), t, "register", "-au", "alice", "-ap", "wonderland") // no 401 comes
	if code <= 0 {
		t.Errorf("exit code %d, want a failure\n%s", code, out)
	}
}

// sippServer is a running server and who speaks to it.
type sippServer struct{ addr, transport, user, peer string }

func (s sippServer) as(user string) sippServer {
	s.user, s.peer = user, s.user
	return s
}

// awaitListener returns when the sipp that answers can be connected to: the
// server tries once. Over UDP the INVITE is simply sent again.
func (s sippServer) awaitListener(ctx context.Context, port string) {
	if s.transport != "tcp" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			conn.Close()
			return
		}
		runtime.Gosched()
	}
}

// run runs a scenario that must pass. A sipp that hangs is tried once more.
func (s sippServer) run(t *testing.T, scenario string, args ...string) {
	t.Helper()
	for try := 1; ; try++ {
		code, out := s.try(t.Context(), t, scenario, args...)
		switch {
		case code == 0:
			return
		case code == hung && try == 1:
			t.Logf("HUNG: sipp %s was killed, and is tried once more\n%s", scenario, out)
		default:
			t.Fatalf("sipp %s: exit code %d\n%s", scenario, code, out)
		}
	}
}

// call is a session from alice to bob's device at port, two sipps at once.
func (s sippServer) call(t *testing.T, port string) {
	t.Helper()
	for try := 1; ; try++ {
		type end struct {
			code int
			out  string
		}
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan end, 1)
		go func() {
			code, out := s.as("bob").try(ctx, t, "answer", "-p", port)
			answered <- end{code, out}
		}()
		s.awaitListener(ctx, port)
		code, out := s.try(ctx, t, "invite")
		if code != 0 {
			cancel() // nobody will call any more
		}
		called := <-answered
		cancel()
		switch {
		case code == 0 && called.code == 0:
			return
		case try == 1 && (code == hung || code == 0 && called.code == hung):
			t.Logf("HUNG: a sipp of invite and answer was killed, both are tried once more\n%s\n%s", out, called.out)
		default:
			t.Fatalf("sipp invite: exit code %d\n%s\nsipp answer: exit code %d\n%s", code, out, called.code, called.out)
		}
	}
}

const hung = -1 // the exit code of a sipp that had to be killed

// try gives sipp's exit code and what it says of messages and errors.
func (s sippServer) try(ctx context.Context, t *testing.T, scenario string, args ...string) (code int, out string) {
	folder, err := filepath.Abs(filepath.Join("..", "..", "scripts", "sipp"))
	if err != nil {
		t.Error(err)
	}
	dir, err := os.MkdirTemp(t.TempDir(), scenario)
	if err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sipp", append([]string{
		"-sf", filepath.Join(folder, scenario+".xml"), "-m", "1", "-timeout", "20", "-timeout_error", "-nostdin",
		"-i", "127.0.0.1", "-t", map[string]string{"udp": "u1", "tcp": "t1"}[s.transport],
		"-key", "domain", "example.com", "-key", "user", s.user, "-key", "peer", s.peer,
		"-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages", s.addr}, args...)...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	var screen bytes.Buffer
	cmd.Stderr = &screen
	err = cmd.Run()
	out = screen.String()
	for _, name := range []string{"errors", "messages"} {
		b, _ := os.ReadFile(filepath.Join(dir, name)) // absent where there was none
		out += string(b)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return hung, out + err.Error()
	}
	return cmd.ProcessState.ExitCode(), out // a killed one has -1
}

// startSippServer runs server-a, alone in its domain, until the test ends.
func startSippServer(t *testing.T, binary, transport string, flags ...string) sippServer {
	t.Helper()
	dir := t.TempDir()
	directory := filepath.Join(dir, "directory.db")
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("wonderland\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"init example.com --default allow", "server add server-a sip:servera.example.com",
		"user add alice --password-file " + secret, "user add bob --password-file " + secret,
		"assign alice server-a", "assign bob server-a",
	} {
		cmd := exec.Command(binary, append([]string{"directory"}, strings.Fields(line)...)...)
		cmd.Env = append(os.Environ(), "PRESFED_DIRECTORY="+directory)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("directory %s: %v\n%s", line, err, out)
		}
	}
	var talk bytes.Buffer
	cmd := exec.Command(binary, append([]string{"server-a", "--directory", directory, "--listen", transport + ":127.0.0.1:0"}, flags...)...)
	cmd.Stderr = &talk
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		giveUp := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer giveUp.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("server-a: %v\n%s", err, talk.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("server-a: %q, %v", line, err)
	}
	_, addr, ok := strings.Cut(strings.TrimSpace(line), " "+transport+":")
	if !ok {
		t.Fatalf("server-a is ready with %q", line)
	}
	return sippServer{addr: addr, transport: transport, user: "alice", peer: "bob"}
}

// freePort is free for UDP and TCP when it is given.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			u.Close()
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return ""
}
