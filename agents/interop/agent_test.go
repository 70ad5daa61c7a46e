package interop

import (
	"os"
	"path/filepath"
	"testing"

	"presfed/agents/programs"
)

// agent is a device of ours, which the programs meet: it has logged in, says that
// it is there, and watches somebody.
func agent(t *testing.T, s *servers, user, watched string) *running {
	t.Helper()
	r := run(t, programs.Ours(t), nil, "agent", user+"-pc", "--user", user+"@example.com", "--password-file", secret(t, user),
		"--server", "tcp:"+s.home(user).String(), "--buddies=false", "--answer", "auto", "--json")
	r.await(`"type":"ready"`)
	r.tell("publish " + document(t, user))
	r.await(`"type":"published"`)
	r.tell("watch " + watched)
	r.await(`"type":"presence"`, watched, `"state":"active"`)
	return r
}

// document is a file with the least that says that a user is there. (What the draft
// calls available is an activity "other" in RPID, which linphone shows as moved.)
func document(t *testing.T, user string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), user+".xml")
	text := `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:` + user + `@example.com">
<tuple id="pc"><status><basic>open</basic></status><contact>sip:` + user + `@example.com</contact></tuple>
</presence>
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// secret is a file with a user's password.
func secret(t *testing.T, user string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), user)
	if err := os.WriteFile(file, []byte(password(user)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
