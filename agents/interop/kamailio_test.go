package interop

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/programs"
)

// TestOursAtKamailio: our devices and helpers as clients of Kamailio's registrar,
// presence server and proxy.
func TestOursAtKamailio(t *testing.T) {
	programs.Need(t, "kamailio", "kamailio, kamailio-presence-modules", "what it does with us")
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			server := transport + ":" + kamailio(t)
			row := "our agent at Kamailio, " + strings.ToUpper(transport)
			device := func(user string) *running {
				r := run(t, programs.Ours(t), nil, "agent", user+"-pc", "--user", user+"@example.com", "--password-file", secret(t, user),
					"--server", server, "--answer", "auto", "--json")
				r.await(`"type":"ready"`)
				return r
			}
			alice, bob := device("alice"), device("bob")
			matrix.saw(row, registers, "yes")
			alice.tell("watch bob")
			bob.tell("status away at lunch")
			alice.await(`"type":"presence"`, "bob@example.com", `"state":"active"`, "at lunch")
			matrix.saw(row, publishes, "yes")
			matrix.saw(row, watches, "yes")
			alice.tell("page bob hello")
			bob.await(`"type":"im"`, "alice@example.com", "hello")
			bob.tell("page alice@example.com hello yourself")
			alice.await(`"type":"im"`, "bob@example.com", "hello yourself")
			matrix.saw(row, sends, "yes")
			matrix.saw(row, receives, "yes")
			alice.tell("im bob in a session")
			bob.await(`"type":"im"`, `"via":"session"`, "in a session")
			bob.tell("quit")
			bob.end()
			alice.await(`"type":"presence"`, "bob@example.com")
			matrix.saw(row, unpublish, "yes")

			helpers(t, server)
		})
	}
}

// helpers are the commands that do one thing, with what scripts rely on.
func helpers(t *testing.T, server string) {
	row := "our helpers at Kamailio, " + strings.ToUpper(strings.SplitN(server, ":", 2)[0])
	as := func(user string, command ...string) string {
		t.Helper()
		out, code := once(t.Context(), t, "", programs.Ours(t), append(command, "--user", user+"@example.com", "--password-file", secret(t, user), "--server", server, "--json")...)
		if code != 0 {
			t.Fatalf("%s: exit code %d\n%s", strings.Join(command, " "), code, out)
		}
		return out
	}
	as("carol", "register")
	matrix.saw(row, registers, "yes")
	published := as("carol", "publish", document(t, "carol"))
	_, after, ok := strings.Cut(published, `"etag":"`)
	if !ok {
		t.Fatalf("publish: no entity-tag in %s", published)
	}
	etag, _, _ := strings.Cut(after, `"`)
	matrix.saw(row, publishes, "yes")
	if out := as("alice", "subscribe", "carol", "--until", "basic=open"); !strings.Contains(out, "carol@example.com") {
		t.Errorf("subscribe: %s", out)
	}
	matrix.saw(row, watches, "yes")
	as("alice", "send-im", "alice", "a note to myself", "--page")
	matrix.saw(row, sends, "yes")
	matrix.saw(row, receives, cannot)
	as("carol", "publish", "--if-match", etag, "--expires", "0s")
	matrix.saw(row, unpublish, "yes")
}

// kamailio starts one with users, who log in with digest, and says where it listens.
func kamailio(t *testing.T) string {
	t.Helper()
	config, err := filepath.Abs(filepath.Join("..", "..", "scripts", "kamailio", "kamailio.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(freePort(t)))
	r := run(t, "kamailio", nil, "-f", config, "-DD", "-E", "-A", "ADDR="+addr, "-A", fmt.Sprintf("SERVER=%q", "sip:"+addr), "-Y", t.TempDir(), "-m", "64", "-M", "8")
	r.await("processes (at least)")
	awaitTaken(t, "tcp", strings.TrimPrefix(addr, "127.0.0.1:"))
	awaitTaken(t, "udp", strings.TrimPrefix(addr, "127.0.0.1:"))
	return addr
}
