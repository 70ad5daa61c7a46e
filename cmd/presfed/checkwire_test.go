package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/programs"
)

// TestCheckWire compares what the flows report with what the kernel saw, and
// that a message which is not reported is noticed.
func TestCheckWire(t *testing.T) {
	const what = "what flows report against a capture of the loopback interface"
	for _, tool := range []string{"bash", "dumpcap", "tshark", "text2pcap", "jq"} {
		programs.Need(t, tool, "tshark, jq", what)
	}
	if os.Geteuid() != 0 {
		programs.Skip(t, what, "only root may capture")
	}
	binary, dir := programs.Ours(t), t.TempDir()
	code, out := checkWire(t, binary, "--keep", dir)
	switch {
	case code == 2:
		programs.Skip(t, what, "it is not possible here: "+out)
	case code != 0:
		t.Fatalf("exit code %d\n%s", code, out)
	}

	file := filepath.Join(dir, "reported")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(dir, "keys")
	keys, err := os.ReadFile(secrets)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		marks         []string // of the line that is changed
		change        func(line []byte) []byte
		want, notWant string
	}{
		{"plain SIP deleted", []string{`"transport":"TCP"`, `"start_line":"INVITE `}, drop, "only on the wire: ", "only reported"},
		{"SIP over TLS deleted", []string{`"transport":"TLS"`, `"start_line":"BYE `}, drop, "only on the wire: ", "only reported"},
		{"MSRP deleted", []string{`"protocol":"msrp"`, `"method":"SEND"`}, drop, "only on the wire: ", "only reported"},
		{"another CSeq", []string{`"method":"BYE"`}, func(l []byte) []byte {
			return bytes.Replace(l, []byte(`"cseq":"`), []byte(`"cseq":"9`), 1)
		}, "| 9", ""},
		{"another sender", []string{`"protocol":"msrp"`, `"status":200`}, func(l []byte) []byte {
			return bytes.Replace(l, []byte(`"src":"127.`), []byte(`"src":"126.`), 1)
		}, "only reported: 126.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, file, changeLine(t, whole, tt.change, tt.marks...))
			code, out := checkWire(t, binary, "--compare", dir)
			if code != 1 || !strings.Contains(out, tt.want) || tt.notWant != "" && strings.Contains(out, tt.notWant) || strings.Count(out, "\n") > 2 {
				t.Errorf("exit code %d, want 1 and one difference with %q\n%s", code, tt.want, out)
			}
		})
	}
	t.Run("without secrets", func(t *testing.T) {
		write(t, file, whole)
		write(t, secrets, nil)
		if code, out := checkWire(t, binary, "--compare", dir); code != 1 || strings.Contains(out, ":5060 |") || !strings.Contains(out, ":5061 |") {
			t.Errorf("exit code %d, want 1 and differences in TLS alone\n%s", code, out)
		}
	})
	t.Run("whole again", func(t *testing.T) {
		write(t, secrets, keys)
		if code, out := checkWire(t, binary, "--compare", dir); code != 0 {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
}

func drop([]byte) []byte { return nil }

// changeLine changes the last line that has all marks.
func changeLine(t *testing.T, text []byte, change func([]byte) []byte, marks ...string) []byte {
	t.Helper()
	lines := bytes.SplitAfter(text, []byte("\n"))
next:
	for i := len(lines) - 1; i >= 0; i-- {
		for _, m := range marks {
			if !bytes.Contains(lines[i], []byte(m)) {
				continue next
			}
		}
		lines[i] = change(lines[i])
		return bytes.Join(lines, nil)
	}
	t.Fatalf("no line has %q", marks)
	return nil
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkWire(t *testing.T, binary string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{filepath.Join("..", "..", "scripts", "check-wire")}, args...)...)
	cmd.Env = append(os.Environ(), "PRESFED="+binary)
	cmd.WaitDelay = 5 * time.Second
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("check-wire: %v\n%s", err, b)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}
