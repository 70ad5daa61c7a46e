package trace

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilter(t *testing.T) {
	messages := Pair(im().records)
	other := newBed()
	other.sip("bob-pc", "server-b", "MESSAGE sip:carol@example.com SIP/2.0\r\nFrom: <sip:bob@example.com>;tag=1\r\nTo: <sip:carol@example.com>\r\nCall-ID: other\r\nCSeq: 1 MESSAGE\r\n\r\n")
	other.hop(MSRP, "TCP", "bob-pc", "server-b", "MSRP aaaa SEND\r\nTo-Path: msrp://c:1/z;tcp\r\nFrom-Path: msrp://d:1/z;tcp\r\n-------aaaa$\r\n")
	messages = append(messages, Pair(other.records)...)
	all, msrp := len(messages), 2 // the MSRP messages of the invitation

	for _, tt := range []struct {
		name string
		f    Filter
		want int
	}{
		{"all", Filter{}, all},
		{"alice and her session", Filter{User: "alice"}, 10 + msrp},
		{"as an address", Filter{User: "sip:Alice@EXAMPLE.com;transport=tcp"}, 0},
		{"as an address, in her case", Filter{User: "sip:alice@EXAMPLE.com;transport=tcp"}, 10 + msrp},
		{"at a server", Filter{User: "bob@serverb.example.com"}, 2 + msrp},
		{"bob", Filter{User: "bob@example.com"}, 11 + msrp},
		{"a suffix is no domain", Filter{User: "bob@ample.com"}, 0},
		{"carol", Filter{User: "carol"}, 1},
		{"participant", Filter{Participant: "bob-pc"}, 4 + 2},
		{"user at participant", Filter{User: "alice", Participant: "bob-pc"}, 2 + msrp},
		{"dialog", Filter{Dialog: "1j9FpLxk3uxtm8tn@example.com"}, 10 + msrp},
		{"dialog by its tags", Filter{Dialog: "1j9FpLxk3uxtm8tn@example.com;tag=gred45;tag=a73kszlfl"}, 10 + msrp},
		{"another dialog of the call", Filter{Dialog: "1j9FpLxk3uxtm8tn@example.com;tag=else"}, 0},
		{"other dialog", Filter{Dialog: "other"}, 1},
	} {
		if got := tt.f.Apply(messages); len(got) != tt.want {
			t.Errorf("%s: %d messages, want %d:\n%s", tt.name, len(got), tt.want, cmp.Diff(tell(messages), tell(got)))
		}
	}
}

func TestSessionKey(t *testing.T) {
	for _, pair := range [][2]string{
		{"msrp://Host.example.com:7/Ab;tcp", "MSRP://host.EXAMPLE.com:7/Ab;tcp;x=y"},
		{"msrp://bob@h:7/Ab;tcp", "msrp://h:7/Ab;tcp"},
	} {
		if a, b := sessionKey(pair[0]), sessionKey(pair[1]); a != b {
			t.Errorf("%s and %s differ: %s, %s", pair[0], pair[1], a, b)
		}
	}
	if sessionKey("msrp://h:7/Ab;tcp") == sessionKey("msrp://h:7/aB;tcp") {
		t.Error("session-ids were compared without case")
	}
}
