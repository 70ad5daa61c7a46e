package server_test

import (
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/server"
)

// get asks a server by HTTP.
func get(t *testing.T, s *server.Server, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + s.AdminAddr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func asked(c *server.Config) { c.Admin = netip.MustParseAddrPort("127.0.0.1:0") }

// The numbers say what happened on the sockets, and what is held.
func TestMetrics(t *testing.T) {
	s, _ := run(t, world(t), asked)
	c := device(t, "alice", "alice's secret", "tcp:"+s.Addr("TCP").String())
	if _, err := c.Register(timeout(t), time.Minute); err != nil {
		t.Fatal(err)
	}
	// The client has its 200 before the server has counted it.
	want := []string{
		`presfed_sip_messages_total{direction="in",transport="TCP",what="REGISTER"} 2`,
		`presfed_sip_messages_total{direction="out",transport="TCP",what="401"} 1`,
		`presfed_sip_messages_total{direction="out",transport="TCP",what="200"} 1`,
		`presfed_bindings 1`,
		`presfed_sip_connections 1`,
		`presfed_directory_reachable 1`,
	}
	ctx := timeout(t)
	for {
		status, body := get(t, s, "/metrics")
		missing := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(body, "\n"+line+"\n") })
		if status == 200 && len(missing) == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%d, no %q in\n%s", status, missing, body)
		}
	}
	if status, _ := get(t, s, "/debug/pprof/"); status != 404 {
		t.Errorf("profiles are there unasked: %d", status)
	}
}

// A directory that is gone makes a server unwell, not dead.
func TestHealth(t *testing.T) {
	dir := world(t)
	s, _ := run(t, dir, func(c *server.Config) { asked(c); c.Profile = true })
	if status, body := get(t, s, "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := get(t, s, "/debug/pprof/"); status != 200 {
		t.Errorf("profiles: %d", status)
	}
	if err := os.Rename(filepath.Join(dir, "directory"), filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	ctx := timeout(t)
	for {
		status, body := get(t, s, "/healthz")
		if status == 503 && strings.Contains(body, "directory: unreachable since") {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d %s", status, body)
		}
	}
}

func TestAdminIsForLoopback(t *testing.T) {
	dir := world(t)
	_, err := server.New(t.Context(), server.Config{
		Name: "server-a", Directory: filepath.Join(dir, "directory"), State: filepath.Join(dir, "s"), Admin: netip.MustParseAddrPort("0.0.0.0:0"),
	})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v", err)
	}
}
