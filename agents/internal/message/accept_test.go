package message

import "testing"

func TestAccepts(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                 false,
		"application/sdp":                  true,
		"text/plain , Application/SDP;a=b": true,
		"application/*":                    true,
		"*/*;q=0.1":                        true,
		"text/*, application/sdp-x":        false,
		"application/sdp; q=0.0":           false,
	} {
		req := NewRequest("INVITE", URI{Scheme: "sip", Host: "example.com"})
		if accept != "" {
			Add(req, "Accept", accept)
		}
		if got := Accepts(req, "application/sdp"); got != want {
			t.Errorf("Accept: %s: %t", accept, got)
		}
	}
}
