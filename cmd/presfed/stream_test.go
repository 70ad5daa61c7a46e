package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// mostResident is how much memory either end of a message of any size may have
// resident, in KiB.
const mostResident = 64 << 10

// A message from standard input passes in constant memory at both ends, however
// large it is. PRESFED_STREAM=1073741824 makes it 1 GiB.
func TestStreamInConstantMemory(t *testing.T) {
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
	alice.Stdin = io.LimitReader(zeros{}, size)
	if out, err := alice.CombinedOutput(); err != nil {
		t.Fatalf("send-im: %v\n%s", err, out)
	}
	if e := until("im"); e.Size != size {
		t.Errorf("%d bytes arrived, want %d", e.Size, size)
	}
	_ = input.Close()
	until("closed")
	if err := bob.Wait(); err != nil {
		t.Errorf("bob's agent: %v", err)
	}
	for name, cmd := range map[string]*exec.Cmd{"sender": alice, "receiver": bob} {
		resident := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		t.Logf("%s of %d bytes: at most %d KiB resident", name, size, resident)
		if resident > mostResident {
			t.Errorf("%s of %d bytes: %d KiB resident, want less than %d", name, size, resident, mostResident)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
