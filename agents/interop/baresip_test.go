package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/programs"
)

// TestBaresip: baresip logs in, publishes, watches, sends and receives.
func TestBaresip(t *testing.T) {
	programs.Need(t, "baresip", "baresip-core", "what it does with us")
	everywhere(t, "baresip", func(t *testing.T, s *servers, transport, other, row string) {
		peer := agent(t, s, other, "alice")
		phone := baresip(t, s, "alice", transport, other)
		phone.awaitContact(other, "Online")
		matrix.saw(row, watches, "yes")
		phone.online()
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"open"`)
		matrix.saw(row, publishes, "yes")

		peer.tell("page alice@example.com are you there?")
		phone.takes("are you there?")
		matrix.saw(row, registers, "yes") // that is how it was found
		matrix.saw(row, receives, "yes")
		phone.do("message", "so I am") // to the current contact, which is the only one
		peer.await(`"type":"im"`, "alice@example.com", "so I am")
		matrix.saw(row, sends, "yes")

		peer.tell("unpublish")
		phone.awaitContact(other, "Offline")
		phone.do("quit", "")
		phone.end()
		// It publishes twice as it starts, and takes back the one whose answer came last:
		// the other one stays for its two minutes.
		phone.await("SIP-If-Match:")
		phone.await("SIP-ETag:")
		matrix.saw(row, unpublish, "yes")
	})
}

// baresipPhone is a baresip, steered by its control port.
type baresipPhone struct {
	*running
	control net.Conn
	answers *bufio.Reader
}

// baresip starts one with one contact, which it watches.
func baresip(t *testing.T, s *servers, user, transport, contact string) *baresipPhone {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	for name, text := range map[string]string{
		"config": fmt.Sprintf(`sip_listen 127.0.0.1:0
module_path %s
module account.so
module contact.so
module menu.so
module presence.so
module ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
`, baresipModules(t), port),
		"accounts": fmt.Sprintf("<sip:%[1]s@example.com;transport=%[2]s>;auth_user=%[1]s;auth_pass=%[3]s;outbound=\"sip:%[4]s;transport=%[2]s\";regint=600;pubint=120\n", user, transport, password(user), s.home(user)),
		"contacts": fmt.Sprintf("\"%s\" <sip:%[1]s@example.com>;presence=p2p\n", contact),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &baresipPhone{running: run(t, "baresip", nil, "-s", "-f", dir)}
	p.await("baresip is ready")
	var err error
	if p.control, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.control.Close() })
	p.answers = bufio.NewReader(p.control)
	return p
}

// baresipModules is the folder of its modules, which differs between machines.
func baresipModules(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	t.Fatal("baresip's modules are in none of the usual folders")
	return ""
}

// freePort is one that nobody listens on now. The program wants it before it starts.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// do gives a command and takes its answer: JSON in netstrings, both ways, between
// which events stand.
func (p *baresipPhone) do(command, params string) string {
	p.t.Helper()
	ask, err := json.Marshal(map[string]string{"command": command, "params": params, "token": command})
	if err != nil {
		p.t.Fatal(err)
	}
	_ = p.control.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(p.control, "%d:%s,", len(ask), ask); err != nil {
		p.t.Fatalf("baresip: %s: %v", command, err)
	}
	for {
		digits, err := p.answers.ReadString(':')
		n, aerr := strconv.Atoi(strings.TrimSuffix(digits, ":"))
		if command == "quit" && err != nil {
			return ""
		}
		if err != nil || aerr != nil || n > 1<<20 {
			p.t.Fatalf("baresip: %s: %q %v", command, digits, err)
		}
		text := make([]byte, n+1)
		if _, err := io.ReadFull(p.answers, text); err != nil {
			p.t.Fatalf("baresip: %s: %v", command, err)
		}
		var answer struct {
			Response, OK bool
			Data         string
		}
		if err := json.Unmarshal(text[:n], &answer); err != nil {
			p.t.Fatalf("baresip: %s: %v in %q", command, err, text)
		}
		if !answer.Response {
			continue
		}
		if !answer.OK {
			p.t.Fatalf("baresip: %s: %s", command, answer.Data)
		}
		return answer.Data
	}
}

// online publishes. Something that it published by itself must be answered before:
// it would make one publication more otherwise.
func (p *baresipPhone) online() {
	p.t.Helper()
	p.await("SIP-ETag:")
	p.do("presence_online", "")
}

// takes waits until it has read a MESSAGE and agreed to it, by its own trace: without
// a screen it shows none.
func (p *baresipPhone) takes(text string) {
	p.t.Helper()
	p.await("MESSAGE sip:")
	p.await(text)
	p.await("SIP/2.0 200 OK")
	p.await("CSeq:", "MESSAGE")
}

// awaitContact asks until a contact is shown so: it does not say when that changes.
func (p *baresipPhone) awaitContact(user, state string) {
	p.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		shown := p.do("contacts", "")
		for line := range strings.Lines(shown) {
			if strings.Contains(line, state) && strings.Contains(line, user+"@example.com") {
				return
			}
		}
		select {
		case <-again.C:
		case <-late:
			p.t.Fatalf("baresip does not show %s as %s:\n%s", user, state, shown)
		}
	}
}
