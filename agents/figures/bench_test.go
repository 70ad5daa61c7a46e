package figures

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/programs"
)

// bench is the variable that names the folder of a load generator.
const bench = "PRESFED_BENCH"

// TestBenchAdapter has the load generator's adapter start two servers that know each
// other by their addresses: what is published at one is seen at the other. With the
// load generator, two seconds of its fan-out between them lose nothing.
func TestBenchAdapter(t *testing.T) {
	binary := programs.Ours(t)
	env, stop := startAdapter(t, binary)
	t.Cleanup(stop)
	heard := make(chan client.Event, 100)
	watcher := newBenchDevice(t, "aw0", env["A"], func(e client.Event) {
		select {
		case heard <- e:
		default: // under load nobody listens any more
		}
	})
	publisher := newBenchDevice(t, "bp0", env["B"], nil)
	if _, _, err := publisher.Publish(t.Context(), client.Publication{Expires: time.Hour, Body: []byte(`<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bp0@example.com"><tuple id="t"><status><basic>open</basic></status><note>` +
		strings.Repeat("larger than a datagram that nobody knows the way of ", 40) + `</note></tuple></presence>`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := watcher.Subscribe(t.Context(), "bp0", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for end := time.After(20 * time.Second); ; {
		select {
		case e := <-heard:
			if e.Type != "presence" || !strings.Contains(e.Body, ">open<") {
				continue
			}
		case <-end:
			t.Fatal("what is published at B is not seen at A")
		}
		break
	}
	folder := os.Getenv(bench)
	if folder == "" {
		t.Logf("no load: %s names the folder of a load generator", bench)
		fmt.Println("| two servers, by the adapter | started, seen from one to the other, stopped |")
		return
	}
	loadgen := filepath.Join(t.TempDir(), "loadgen")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", loadgen, ".")
	build.Dir = filepath.Join(folder, "loadgen")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), loadgen, "fanout", "-target", env["A"], "-pub-target", env["B"], "-presentities", "bp",
		"-n", "50", "-fan", "10", "-dur", "2s", "-domain", env["DOMAIN"], "-pids", env["PIDS"]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fmt.Printf("| %s |\n", strings.Join(strings.Fields(string(out)), " "))
}

// startAdapter starts both servers on a port that was free; env is what it wrote.
func startAdapter(t *testing.T, binary string) (env map[string]string, stop func()) {
	t.Helper()
	script, err := filepath.Abs("../../scripts/bench/presfed")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for range 5 { // another may have taken the port meanwhile
		work := t.TempDir()
		cmd := exec.CommandContext(t.Context(), script, "start", work)
		cmd.Env = append(os.Environ(), "PEERS=2", "LINK=udp", "PRESFED_BIN="+binary, "PRESFED_WATCHERS=60", "PRESFED_PRESENTITIES=10",
			"PORT="+strconv.Itoa(freePort(t)))
		if out, err = cmd.CombinedOutput(); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(work, "env"))
		if err != nil {
			t.Fatal(err)
		}
		env = map[string]string{}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), "=")
			env[name] = value
		}
		return env, func() {
			if out, err := exec.Command(script, "stop", work).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("stop: %v\n%s", err, out)
			}
			for pid := range strings.SplitSeq(env["PIDS"], ",") {
				if n, err := strconv.Atoi(pid); err != nil || syscall.Kill(n, 0) == nil {
					t.Errorf("%s still runs, %v", pid, err)
				}
			}
		}
	}
	t.Fatalf("%v\n%s", err, out)
	return nil, nil
}

// freePort is one that both servers can listen at now, by UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		free := true
		for _, ip := range []string{"127.0.0.1", "127.0.0.2"} {
			at := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(port))
			tcp, terr := net.Listen("tcp4", at.String())
			udp, uerr := net.ListenPacket("udp4", at.String())
			if free = free && terr == nil && uerr == nil; terr == nil {
				tcp.Close()
			}
			if uerr == nil {
				udp.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free at 127.0.0.1 and 127.0.0.2")
	return 0
}

func newBenchDevice(t *testing.T, user, at string, on func(client.Event)) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Name: user + "-pc", User: user + "@example.com", Server: "udp:" + at, OnEvent: on})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	return c
}
