package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// mostResident is how much memory either end of a message of any size may have
// resident, in KiB.
const mostResident = 64 << 10

// A message from standard input passes in constant memory at both ends, however
// large it is. PRESFED_STREAM=1073741824 makes it 1 GiB.
func TestStreamInConstantMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	size := int64(100 << 20) // more than may be resident
	if s := os.Getenv("PRESFED_STREAM"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatalf("PRESFED_STREAM: %v", err)
		}
	}
	binary := filepath.Join(t.TempDir(), "presfed") // the test's own has the race detector's memory
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	bob := exec.CommandContext(t.Context(), binary, "agent", "bob-pc", "--no-register", "--server", "tcp:127.0.0.1:9", "--answer", "auto", "--accept-types", "*", "--json")
	input, err := bob.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := bob.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Start(); err != nil {
		t.Fatal(err)
	}
	type event struct {
		Type      string
		Addresses []string
		Size      int64
	}
	heard := bufio.NewScanner(output)
	until := func(kind string) (e event) {
		t.Helper()
		for heard.Scan() {
			e = event{}
			if err := json.Unmarshal(heard.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if e.Type == kind {
				return e
			}
		}
		t.Fatalf("bob's agent ended without %s", kind)
		return e
	}
	server := ""
	for _, at := range until("ready").Addresses {
		if strings.HasPrefix(at, "tcp:") {
			server = at
		}
	}
	alice := exec.CommandContext(t.Context(), binary, "send-im", "bob", "--user", "alice@example.com", "--server", server,
		"--content-type", "application/octet-stream", "--timeout", "10m")
	var sender, receiver int
	alice.Stdin = &atEnd{Reader: io.LimitReader(zeros{}, size), do: func() { sender = peak(t, alice.Process.Pid) }}
	if out, err := alice.CombinedOutput(); err != nil {
		t.Fatalf("send-im: %v\n%s", err, out)
	}
	if e := until("im"); e.Size != size {
		t.Errorf("%d bytes arrived, want %d", e.Size, size)
	}
	receiver = peak(t, bob.Process.Pid)
	_ = input.Close()
	until("closed")
	if err := bob.Wait(); err != nil {
		t.Errorf("bob's agent: %v", err)
	}
	fmt.Printf("| size | end | most memory resident |\n|---|---|---|\n| %d MiB | `presfed send-im` | %d MiB |\n| %d MiB | `presfed agent` | %d MiB |\n", size>>20, sender>>10, size>>20, receiver>>10)
	for name, resident := range map[string]int{"sender": sender, "receiver": receiver} {
		t.Logf("%s of %d bytes: at most %d KiB resident", name, size, resident)
		if resident == 0 || resident > mostResident {
			t.Errorf("%s of %d bytes: %d KiB resident, want less than %d", name, size, resident, mostResident)
		}
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
