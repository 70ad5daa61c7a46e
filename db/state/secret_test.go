package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestASecretIsMadeOnce: the same after a restart, another in another file, and
// for nobody else to read.
func TestASecretIsMadeOnce(t *testing.T) {
	secret := func(path string, size int) ([]byte, error) {
		t.Helper()
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Secret(t.Context(), "seal", size)
	}
	path := filepath.Join(t.TempDir(), "state")
	first, err := secret(path, 32)
	if err != nil || len(first) != 32 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	if again, err := secret(path, 32); err != nil || !bytes.Equal(again, first) {
		t.Errorf("after a restart another, %v", err)
	}
	if other, err := secret(filepath.Join(t.TempDir(), "state"), 32); err != nil || bytes.Equal(other, first) {
		t.Errorf("two servers have one secret, %v", err)
	}
	if _, err := secret(path, 16); err == nil {
		t.Error("a secret of another size is taken")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
