package figures

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/msrp"
)

// TestAFullDiskTakesNoFile: whoever sends a file, or a message that is saved, to where
// there is no room for it is told so, and nothing of it stays.
func TestAFullDiskTakesNoFile(t *testing.T) {
	small := smallDisk(t, "1m")
	bob := newDiskDevice(t, client.Config{
		User: "bob@example.com", Server: "tcp:127.0.0.1:9", AcceptFiles: small.outside, Save: small.outside, Answer: client.AnswerAuto,
	})
	alice := newDiskDevice(t, client.Config{User: "alice@example.com", Server: "tcp:" + bob.Addr("TCP").String()})
	content := make([]byte, 3<<20)
	path := filepath.Join(t.TempDir(), "x.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := alice.IM(t.Context(), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a file":    alice.SendFile(t.Context(), "bob", path, client.FileOptions{}),
		"a message": s.SendBody(t.Context(), "text/plain", io.MultiReader(bytes.NewReader(content))),
	} {
		var refused *msrp.StatusError
		if !errors.As(err, &refused) || *refused != (msrp.StatusError{Code: 413, Comment: "no room"}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, err := os.ReadDir(small.outside); err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left", left, err)
	}
}

func newDiskDevice(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	cfg.Name, cfg.OnEvent = "pc", func(client.Event) {}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	return c
}
