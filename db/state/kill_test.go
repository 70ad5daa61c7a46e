package state

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestKilledWriter is no test but the process that TestWhatWasAnsweredSurvivesAKill kills.
func TestKilledWriter(t *testing.T) {
	path := os.Getenv("STATE_TEST_WRITE_UNTIL_KILLED")
	if path == "" {
		t.Skip("the child of another test")
	}
	s, _ := running(t, path, Options{})
	for i := 0; ; i++ {
		s.Commit(func(tx *Tx) error { return tx.PutPublication(publication(i)) }, func(err error) {
			if err == nil {
				fmt.Println("answered", i)
			}
		})
		if i%20 == 19 { // leave the queue time to empty: batches of up to twenty
			if err := commit(s, func(*Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	for round := range 3 {
		path := filepath.Join(t.TempDir(), "state.db")
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$", "-test.v")
		cmd.Env = append(os.Environ(), "STATE_TEST_WRITE_UNTIL_KILLED="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		answered, lines := 0, bufio.NewScanner(out)
		for lines.Scan() {
			if n, ok := numberAfter(lines.Text(), "answered "); ok {
				answered = n + 1
			}
			if answered == 30+171*round {
				if err := cmd.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		if answered < 30 {
			t.Fatalf("the writer answered only %d", answered)
		}
		there := map[string]bool{}
		for _, p := range load(t, path).Publications {
			there[p.ID] = true
		}
		for i := range answered {
			if !there[fmt.Sprint("p", i)] {
				t.Errorf("round %d: publication %d of %d was answered and is lost", round, i, answered)
			}
		}
	}
}

func numberAfter(line, prefix string) (n int, ok bool) {
	if len(line) <= len(prefix) || line[:len(prefix)] != prefix {
		return 0, false
	}
	n, err := strconv.Atoi(line[len(prefix):])
	return n, err == nil
}
