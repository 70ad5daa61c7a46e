package interop

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"presfed/agents/programs"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		programs.Remove()
		matrix.print()
		os.Exit(code)
	}))
}

// What was tried with a program, in the order of the columns.
const (
	registers = "REGISTER, digest"
	publishes = "PUBLISH"
	unpublish = "PUBLISH, removed"
	watches   = "SUBSCRIBE, NOTIFY"
	sends     = "MESSAGE sent"
	receives  = "MESSAGE received"
	cannot    = "cannot"
)

var columns = []string{registers, publishes, unpublish, watches, sends, receives}

// findings are what each program did. The rows of a test that failed have gaps.
type findings struct {
	mu   sync.Mutex
	rows map[string]map[string]string
}

var matrix = findings{rows: map[string]map[string]string{}}

// saw notes that something was seen to work, or that the program cannot do it.
func (f *findings) saw(row, column, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows[row] == nil {
		f.rows[row] = map[string]string{}
	}
	f.rows[row][column] = what
}

// print prints the table, when the tests have all run.
func (f *findings) print() {
	if len(f.rows) == 0 {
		return
	}
	fmt.Printf("| program | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	var names []string
	for name := range f.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("| %s", name)
		for _, c := range columns {
			fmt.Printf(" | %s", f.rows[name][c])
		}
		fmt.Println(" |")
	}
}
