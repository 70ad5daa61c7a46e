package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"presfed/agents/programs"
)

// A bed whose own process is killed takes its roles along: nobody is left to
// hold their standard input open.
func TestKilledBedLeavesNoRoles(t *testing.T) {
	dir, err := os.MkdirTemp("", "bed") // t.TempDir's path is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary := programs.Ours(t)
	if out, err := exec.CommandContext(t.Context(), binary, "bed", "init", filepath.Join(dir, "bed.yaml")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bed := exec.CommandContext(t.Context(), binary, "bed", "up", filepath.Join(dir, "bed.yaml"), "--ports", "--dir", filepath.Join(dir, "b"), "--json")
	out, err := bed.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bed.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct {
			Type string
			PID  int
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Type == "environment" {
			break
		}
		pids = append(pids, line.PID)
	}
	if len(pids) != 6 {
		t.Fatalf("%d roles are up, want 6", len(pids))
	}
	if err := bed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = bed.Wait()
	end := time.Now().Add(30 * time.Second)
	for _, pid := range pids {
		for runs(pid) {
			if time.Now().After(end) {
				t.Errorf("process %d outlives its bed", pid)
				_ = syscall.Kill(pid, syscall.SIGKILL)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// runs: one that nobody has waited for does not.
func runs(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && len(state) > 0 && state[0] != 'Z'
}
