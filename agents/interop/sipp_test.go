package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"presfed/agents/programs"
)

// TestSIPp: SIPp logs in by digest, publishes, watches, sends and receives, by the
// scenarios of scripts/sipp.
func TestSIPp(t *testing.T) {
	programs.Need(t, "sipp", "sip-tester", "what it does with us")
	everywhere(t, "SIPp", func(t *testing.T, s *servers, transport, other, row string) {
		peer := agent(t, s, other, "alice")
		x := sipp{t: t, s: s, transport: transport, other: other, port: strconv.Itoa(freePort(t))}

		x.do("register")
		taken := x.begin("message-taken")
		peer.tell("page alice@example.com knock")
		taken()
		matrix.saw(row, registers, "yes")
		matrix.saw(row, receives, "yes")

		x.do("subscribe-digest")
		matrix.saw(row, watches, "yes")

		x.do("message-digest", "-key", "text", "who is there")
		peer.await(`"type":"im"`, "alice@example.com", "who is there")
		matrix.saw(row, sends, "yes")

		x.do("publish-digest")
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"open"`)
		matrix.saw(row, publishes, "yes")
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"closed"`)
		matrix.saw(row, unpublish, "yes")
	})
}

// sipp is Alice, at one port of her own.
type sipp struct {
	t                      *testing.T
	s                      *servers
	transport, other, port string
}

func (x sipp) arguments(scenario string, more ...string) []string {
	folder, err := filepath.Abs(filepath.Join("..", "..", "scripts", "sipp"))
	if err != nil {
		x.t.Fatal(err)
	}
	mode := map[string]string{"udp": "u1", "tcp": "t1"}[x.transport]
	return append([]string{
		"-sf", filepath.Join(folder, scenario+".xml"), "-m", "1", "-nostdin", "-timeout", "20", "-timeout_error", "-t", mode,
		"-i", "127.0.0.1", "-p", x.port, "-au", "alice", "-ap", password("alice"),
		"-key", "domain", "example.com", "-key", "user", "alice", "-key", "peer", x.other,
	}, more...)
}

// do runs a scenario that must pass.
func (x sipp) do(scenario string, more ...string) {
	x.t.Helper()
	more = append(more, x.s.home("alice").String())
	if out, code := once(x.t.Context(), x.t, "", "sipp", x.arguments(scenario, more...)...); code != 0 {
		x.t.Fatalf("sipp %s: exit code %d\n%s", scenario, code, out)
	}
}

// begin runs a scenario that waits for what comes; the function it gives waits until
// it has passed.
func (x sipp) begin(scenario string, more ...string) (passes func()) {
	x.t.Helper()
	type end struct {
		out  string
		code int
	}
	ended := make(chan end, 1)
	go func() {
		out, code := once(x.t.Context(), x.t, "", "sipp", x.arguments(scenario, more...)...)
		ended <- end{out, code}
	}()
	awaitTaken(x.t, x.transport, x.port)
	return func() {
		x.t.Helper()
		if e := <-ended; e.code != 0 {
			x.t.Fatalf("sipp %s: exit code %d\n%s", scenario, e.code, e.out)
		}
	}
}

// awaitTaken returns when somebody has a port, as the kernel lists it (proc(5)).
func awaitTaken(t *testing.T, transport, port string) {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		table, err := os.ReadFile("/proc/net/" + transport)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000", number)) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("nobody listens at port %s", port)
		}
	}
}
