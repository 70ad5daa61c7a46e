// Package programs is the programs that tests run: the one that users have, and those
// of others.
package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// folder is where the program is; "" as long as none was built.
var folder string

var build = sync.OnceValues(func() (string, error) {
	var err error
	if folder, err = os.MkdirTemp("", "presfed-"); err != nil {
		return "", err
	}
	binary := filepath.Join(folder, "presfed")
	if out, err := exec.Command("go", "build", "-o", binary, "presfed/cmd/presfed").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
})

// Ours is the path of presfed, built once for all who ask, without the race detector
// that the tests themselves may have. Whose tests ask calls Remove when all have ended.
func Ours(t testing.TB) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// Remove removes the program, if it was built.
func Remove() {
	if folder != "" {
		_ = os.RemoveAll(folder) // a folder for temporary files; nothing is lost
	}
}
