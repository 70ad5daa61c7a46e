package figures

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/programs"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		programs.Remove()
		os.Exit(code)
	}))
}

// process is a server that runs.
type process struct {
	t         *testing.T
	pid       int
	tcp       string // where it listens for clients
	transport string // by which it listens besides: tls or udp
	link      string // and where
	admin     string // by HTTP
	xcap      string // its XCAP root, if it has one
	kill      func() // ends it with signal 9, and returns when it is no more
	stop      func() // asks it to end, and returns when it has
}

// serve runs server-a or server-b until it is killed or the test ends; it is ready on
// return.
func serve(ctx context.Context, t *testing.T, name, program string, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer // read when the process is gone
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("%s, asked to end: %v", name, err)
		}
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s said:\n%s", name, said.Bytes()[:min(said.Len(), 10_000)])
		}
	})
	hurry := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	hurry.Stop()
	fields := strings.Fields(line)
	if err != nil || len(fields) < 5 || fields[0] != "ready" {
		t.Fatalf("%s: said %q (%v)", name, line, err)
	}
	p := &process{t: t, pid: cmd.Process.Pid, admin: fields[4], kill: kill, stop: stop, tcp: strings.TrimPrefix(fields[2], "tcp:")}
	p.transport, p.link, _ = strings.Cut(fields[3], ":")
	if len(fields) > 5 {
		p.xcap = fields[5]
	}
	return p
}

// resident is what it has resident, in MiB (proc(5)).
func (p *process) resident() int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/status")
	if err != nil {
		p.t.Error(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmRSS:" {
			n, _ := strconv.Atoi(fields[1])
			return n >> 10
		}
	}
	return 0
}

// worked is the processor time that it has had.
func (p *process) worked() time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/stat")
	if err != nil {
		p.t.Error(err)
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks, as Linux has them
}
