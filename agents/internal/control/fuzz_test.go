package control

import (
	"encoding/json"
	"testing"
)

// FuzzRequest: what is accepted means one thing only, so that it reads back as
// the same request after it was written.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"op":"ready"}`, `{"op":"records","after":18446744073709551615,"follow":true}`, `{"op":"command","line":"im bob \u0000"}`,
		`{"op":"stop"} {}`, `{"op":"stop","op":"ready"}`, `null`, `[]`, ``, `{"OP":"stop"}`, `{"op":"records","after":-1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := parseRequest(line)
		if err != nil {
			if req != (request{}) {
				t.Fatalf("refused, and yet %+v", req)
			}
			return
		}
		written, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRequest(written)
		if err != nil || again != req {
			t.Fatalf("%+v reads back as %+v, %v", req, again, err)
		}
	})
}
