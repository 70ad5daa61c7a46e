package figures

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/programs"
	"presfed/db"
)

// watchSyncs is a program that runs its arguments and writes down each wait for the
// disk, with the file's name, until they have ended.
func watchSyncs(t *testing.T, into string) string {
	t.Helper()
	const what = "that servers wait for the disk"
	programs.Need(t, "strace", "strace", what)
	if out, err := exec.Command("strace", "-D", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		programs.Skip(t, what, fmt.Sprintf("strace may not trace here: %v %s", err, out))
	}
	run := filepath.Join(t.TempDir(), "run")
	// Detached: what is asked to end is the program itself.
	if err := os.WriteFile(run, []byte("#!/bin/sh\nexec strace -D -f -y -e trace=fsync,fdatasync -o '"+into+"' \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return run
}

// syncs is how often it was waited for a file, the program having ended.
func syncs(t *testing.T, from, file string) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if said, _ := os.ReadFile(from); bytes.HasSuffix(bytes.TrimSpace(said), []byte("+++")) && strings.Count(string(said), "+++ exited") > 0 {
			return strings.Count(string(said), file+">)")
		}
	}
	t.Fatal("it does not end")
	return 0
}

// TestWaitsForTheDisk: with --full-sync each acknowledgement has, without it the process
// alone has to live; a change of the directory always has.
func TestWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"normal": nil, "full": {"--full-sync"}} {
		t.Run(name, func(t *testing.T) {
			l := newDailyLife(t, flags...)
			told := filepath.Join(t.TempDir(), "syncs")
			l.servers["a"].kill()
			l.enter = watchSyncs(t, told)
			l.start(t.Context(), "a")
			l.goesOn("started again")
			before, enough := l.publish.Load(), int64(20)
			for l.publish.Load() < before+enough && l.pc.open == "" {
				l.pc.do("modify")
			}
			l.servers["a"].stop()
			n := syncs(t, told, "server-a.state-wal")
			if full := n >= int(enough); full != (name == "full") {
				t.Errorf("%s: %d waits for %d acknowledged, one after another", name, n, enough)
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		l := newDailyLife(t)
		told := filepath.Join(t.TempDir(), "syncs")
		l.binary, l.enter = watchSyncs(t, told), l.binary
		cmd := exec.Command(l.binary, l.enter, "directory", "policy", "set", "u0", "wa0", string(db.PoliteBlock), "--directory", l.directory)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if n := syncs(t, told, "directory.db-wal"); n == 0 {
			t.Error("the command ended, and the disk may not have what it changed")
		}
	})
}
