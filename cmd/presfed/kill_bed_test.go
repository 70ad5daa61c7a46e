package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/programs"
)

// killBed is a domain on two servers, made with the built binary.
type killBed struct {
	t      *testing.T
	binary string
	dir    string
	listen map[string][]string // of a server that was started before
}

func newKillBed(ctx context.Context, t *testing.T) *killBed {
	t.Helper()
	b := &killBed{t: t, dir: t.TempDir(), listen: map[string][]string{}}
	b.binary = programs.Ours(t)
	b.presfed(ctx, "certs", "init")
	b.presfed(ctx, "directory", "init", "example.com", "--default", "allow")
	for user, x := range map[string]string{"alice": "a", "bob": "b"} {
		password := filepath.Join(b.dir, user+".password")
		if err := os.WriteFile(password, []byte(user+"'s secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.presfed(ctx, "certs", "issue", "server-"+x, "server"+x+".example.com")
		b.presfed(ctx, "directory", "server", "add", "server-"+x, "sip:server"+x+".example.com")
		b.presfed(ctx, "directory", "user", "add", user, "--password-file", password)
		b.presfed(ctx, "directory", "assign", user, "server-"+x)
	}
	return b
}

func (b *killBed) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Env = append(os.Environ(), "PRESFED_DIRECTORY="+filepath.Join(b.dir, "directory.db"), "PRESFED_CERTS="+filepath.Join(b.dir, "certs"))
	return cmd
}

func (b *killBed) presfed(ctx context.Context, args ...string) {
	b.t.Helper()
	if out, err := b.command(ctx, args...).CombinedOutput(); err != nil {
		b.t.Fatalf("presfed %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	gone func()
}

// kill ends it with signal 9, and returns when it is no more.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.gone()
}

// start runs a server where it was before, and returns when it is ready.
func (b *killBed) start(ctx context.Context, x string) *process {
	b.t.Helper()
	name := "server-" + x
	args := []string{name}
	at := b.listen[x]
	if at == nil {
		at = []string{"tcp:127.0.0.1:0", "tls:127.0.0.1:0"}
	}
	for _, l := range at {
		args = append(args, "--listen", l)
	}
	cmd := b.command(ctx, args...)
	var said bytes.Buffer // read when the process is gone
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	p := &process{cmd: cmd, gone: sync.OnceFunc(func() { _ = cmd.Wait() })}
	b.t.Cleanup(func() {
		p.kill()
		if b.t.Failed() && said.Len() > 0 {
			b.t.Logf("%s %d said:\n%s", name, cmd.Process.Pid, said.String())
		}
	})
	hurry := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	hurry.Stop()
	fields := strings.Fields(line)
	if err != nil || len(fields) != 4 || fields[0] != "ready" {
		p.kill()
		b.t.Fatalf("%s on %v: said %q (%v)\n%s", name, at, line, err, said.String())
	}
	if b.listen[x] == nil {
		b.listen[x] = fields[2:]
		b.presfed(ctx, "directory", "server", "set", name, "--uri", "sip:"+strings.TrimPrefix(fields[3], "tls:")+";transport=tls")
	}
	return p
}

// device is a user's, up until the test ends.
func (b *killBed) device(ctx context.Context, user, server string, on func(client.Event)) *client.Client {
	b.t.Helper()
	c, err := client.New(client.Config{
		Name: user, User: user + "@example.com", Password: user + "'s secret", Server: b.listen[server][0], OnEvent: on,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.t.Errorf("%s: %v", user, err)
		}
	})
	return c
}
