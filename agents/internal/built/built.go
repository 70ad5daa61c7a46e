// Package built is the program as a user has it, for tests that run it: built once,
// without the race detector that the tests themselves may have.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// folder is where the program is; "" as long as none was built.
var folder string

// Program is the path of the built program, the same for all who ask. Whoever asks
// calls Remove at the end. The error has what the compiler says.
var Program = sync.OnceValues(func() (string, error) {
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

// Remove removes the program, if it was built.
func Remove() {
	if folder != "" {
		_ = os.RemoveAll(folder) // a folder for temporary files; nothing is lost
	}
}
