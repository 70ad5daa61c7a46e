package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"presfed/agents/programs"
)

// TestLinphone: linphonec logs in, publishes, watches, sends and receives.
func TestLinphone(t *testing.T) {
	programs.Need(t, "linphonec", "linphone-cli", "what it does with us")
	everywhere(t, "linphone", func(t *testing.T, s *servers, transport, other, row string) {
		peer := agent(t, s, other, "alice")
		phone := linphone(t, s, "alice", transport, other)
		phone.await(`Friend "`+other+`"`, "is Online")
		matrix.saw(row, watches, "yes")
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"open"`)
		matrix.saw(row, publishes, "yes")

		peer.tell("page alice@example.com are you there?")
		phone.await("Message received from sip:"+other+"@example.com", "are you there?")
		matrix.saw(row, registers, "yes") // that is how it was found
		matrix.saw(row, receives, "yes")
		phone.tell("chat sip:" + other + "@example.com so I am")
		peer.await(`"type":"im"`, "alice@example.com", "so I am")
		matrix.saw(row, sends, "yes")

		peer.tell("unpublish")
		phone.await(`Friend "`+other+`"`, "is Offline")
		phone.tell("quit")
		phone.end()
		peer.await(`"type":"presence"`, "alice@example.com", `"basic":"closed"`) // its un-PUBLISH has no Content-Length over UDP
		matrix.saw(row, unpublish, "yes")
	})
}

// linphone starts a linphonec with one friend, whom it watches. It needs a home that
// can be written to.
func linphone(t *testing.T, s *servers, user, transport, friend string) *running {
	t.Helper()
	home := t.TempDir()
	for _, dir := range []string{".local/share/linphone", ".config/linphone"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	server := fmt.Sprintf("<sip:%s;transport=%s>", s.home(user), transport)
	file := filepath.Join(home, "linphonerc")
	text := fmt.Sprintf(`[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=0
default_proxy=0
use_ipv6=0
guess_hostname=0
register_only_when_network_is_up=0
contact="%[1]s" <sip:%[1]s@127.0.0.1>
[proxy_0]
reg_proxy=%[2]s
reg_route=%[2]s
reg_identity=sip:%[1]s@example.com
reg_expires=600
reg_sendregister=1
publish=1
publish_expires=120
[auth_info_0]
username=%[1]s
passwd=%[3]s
realm=example.com
domain=example.com
[friend_0]
url="%[4]s" <sip:%[4]s@example.com>
pol=accept
subscribe=1
[misc]
version_check_url_root=
`, user, server, password(user), friend)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, "linphonec", []string{"HOME=" + home}, "-c", file)
}
