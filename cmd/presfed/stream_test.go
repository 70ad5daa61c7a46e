package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"presfed/agents/client"
	"presfed/agents/programs"
)

// mostResident is how much memory either end of a message of any size may have
// resident, in KiB.
const mostResident = 64 << 10

// A message from standard input passes in constant memory at both ends, however
// large it is. PRESFED_STREAM=1073741824 makes it 1 GiB.
func TestStreamInConstantMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		programs.Skip(t, "the memory that a long message takes", "it is read from /proc")
	}
	size := int64(100 << 20) // more than may be resident
	if s := os.Getenv("PRESFED_STREAM"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatalf("PRESFED_STREAM: %v", err)
		}
	}
	binary := programs.Ours(t)
	bob := startAgent(t, binary, "--answer", "auto", "--accept-types", "*")
	alice := exec.CommandContext(t.Context(), binary, "send-im", "bob", "--user", "alice@example.com", "--server", bob.at,
		"--content-type", "application/octet-stream", "--timeout", "10m")
	var sender, receiver int
	alice.Stdin = &atEnd{Reader: io.LimitReader(zeros{}, size), do: func() { sender = peak(t, alice.Process.Pid) }}
	if out, err := alice.CombinedOutput(); err != nil {
		t.Fatalf("send-im: %v\n%s", err, out)
	}
	if e := bob.until("im"); e.Size != size {
		t.Errorf("%d bytes arrived, want %d", e.Size, size)
	}
	receiver = peak(t, bob.Process.Pid)
	bob.quit()
	fmt.Printf("| size | end | most memory resident |\n|---|---|---|\n| %d MiB | `presfed send-im` | %d MiB |\n| %d MiB | `presfed agent` | %d MiB |\n", size>>20, sender>>10, size>>20, receiver>>10)
	for name, resident := range map[string]int{"sender": sender, "receiver": receiver} {
		t.Logf("%s of %d bytes: at most %d KiB resident", name, size, resident)
		if resident == 0 || resident > mostResident {
			t.Errorf("%s of %d bytes: %d KiB resident, want less than %d", name, size, resident, mostResident)
		}
	}
}

// agentProcess is bob's agent in a process of its own, without a server.
type agentProcess struct {
	*exec.Cmd
	t     *testing.T
	at    string // a hop, for who wants to reach it
	input io.Closer
	heard *bufio.Scanner
}

func startAgent(t *testing.T, binary string, args ...string) *agentProcess {
	t.Helper()
	a := &agentProcess{t: t, Cmd: exec.CommandContext(t.Context(), binary, append([]string{"agent", "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--json"}, args...)...)}
	input, err := a.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	a.input, a.heard = input, bufio.NewScanner(output)
	for _, at := range a.until("ready").Addresses {
		if strings.HasPrefix(at, "tcp:") {
			a.at = at
		}
	}
	return a
}

// until passes over events up to one of that type.
func (a *agentProcess) until(typ string) (e client.Event) {
	a.t.Helper()
	for a.heard.Scan() {
		e = client.Event{}
		if err := json.Unmarshal(a.heard.Bytes(), &e); err != nil {
			a.t.Fatal(err)
		}
		if e.Type == typ {
			return e
		}
	}
	a.t.Fatalf("bob's agent ended without %s", typ)
	return e
}

func (a *agentProcess) quit() {
	a.t.Helper()
	_ = a.input.Close()
	a.until("closed")
	if err := a.Wait(); err != nil {
		a.t.Errorf("bob's agent: %v", err)
	}
}

// peak is the most memory that a process has had resident, in KiB (proc(5)). A
// child's own account of it begins with its parent's.
func peak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Error(err)
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			n, _ := strconv.Atoi(fields[1])
			return n
		}
	}
	return 0
}

// atEnd does something when all of a Reader has been read.
type atEnd struct {
	io.Reader
	do func()
}

func (r *atEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		r.do()
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
