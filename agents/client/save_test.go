package client_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/client"
)

// A message too large for memory goes to a folder: under a name when it is whole,
// which is before its sender hears so, and not beyond MaxFile.
func TestALargeMessageIsSaved(t *testing.T) {
	dir := t.TempDir()
	bob := newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) { c.Save, c.MaxFile, c.Answer = dir, 3<<20, client.AnswerAuto })
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	if err := s.SendBody(timeout(t), "text/plain", io.MultiReader(bytes.NewReader(content))); err != nil {
		t.Fatal(err)
	}
	there := names(t, dir)
	if len(there) != 1 || !strings.HasPrefix(there[0], "im-") {
		t.Fatalf("%q", there)
	}
	if got, err := os.ReadFile(filepath.Join(dir, there[0])); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	bob.next("session")
	if e := bob.next("im"); e.File != filepath.Join(dir, there[0]) || e.Size != 3<<20 || e.Text != "" {
		t.Errorf("%+v", e)
	}
	if err := s.SendBody(timeout(t), "text/plain", io.MultiReader(bytes.NewReader(content), strings.NewReader("x"))); !errors.Is(err, client.ErrTooLarge) {
		t.Errorf("more than MaxFile: %v", err)
	}
	bob.next("failed")
	if there := names(t, dir); len(there) != 1 {
		t.Errorf("%q", there)
	}
}
