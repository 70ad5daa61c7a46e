package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"presfed/agents/internal/control"
)

// The run folder of a bed holds a control socket and a log for each role.
func runIn(dir string) string          { return filepath.Join(dir, "run") }
func socketIn(dir, role string) string { return filepath.Join(runIn(dir), role+".sock") }
func logIn(dir, role string) string    { return filepath.Join(runIn(dir), role+".log") }
func processesIn(dir string) string    { return filepath.Join(runIn(dir), "processes.json") }

// maxSocket is the longest path that a Unix socket may have anywhere.
const maxSocket = 103

// ErrUp says that a bed runs in a folder already, ErrNotUp that none does.
var (
	ErrUp    = errors.New("a bed is up here")
	ErrNotUp = errors.New("no bed is up here")
)

// makeRunFolder takes the folder for this bed.
func (p *Processes) makeRunFolder() error {
	for _, name := range p.options.Topology.order() {
		if path := socketIn(p.dir, name); len(path) > maxSocket {
			return fmt.Errorf("%s: a socket's path may have %d bytes, and this one has %d: use a folder with a shorter path", path, maxSocket, len(path))
		}
	}
	roles, err := running(p.dir)
	if err != nil {
		return err
	}
	if len(roles) > 0 {
		return fmt.Errorf("%s: %w", p.dir, ErrUp)
	}
	return os.MkdirAll(runIn(p.dir), 0o700)
}

// Role is one that runs, as a bed tells.
type Role struct {
	Name    string           `json:"name"`
	PID     int              `json:"pid"`
	Born    string           `json:"born,omitempty"` // tells the process from another with its number
	Control string           `json:"control"`
	Device  bool             `json:"device,omitempty"`
	Listen  []control.Listen `json:"listen,omitempty"`
}

// Roles are those of the bed, servers first.
func (p *Processes) Roles() (out []Role) {
	for _, r := range p.list() {
		born, _ := lives(r.pid)
		out = append(out, Role{Name: r.name, PID: r.pid, Born: born, Control: r.control.Path(), Device: r.device, Listen: r.info.Listen})
	}
	return out
}

// note writes down who runs, for Down. It is there whole, or not at all.
func (p *Processes) note() error {
	text, err := json.MarshalIndent(p.Roles(), "", "  ")
	if err != nil {
		return err
	}
	fresh := processesIn(p.dir) + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return err
	}
	p.noted = true
	return os.Rename(fresh, processesIn(p.dir))
}

func removeRun(dir string) error {
	err := os.Remove(processesIn(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// running are the roles of a bed in a folder that still run, whether they answer
// or not.
func running(dir string) (alive []Role, err error) {
	text, err := os.ReadFile(processesIn(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var noted []Role
	if err := json.Unmarshal(text, &noted); err != nil {
		return nil, fmt.Errorf("%s: %w", processesIn(dir), err)
	}
	for _, r := range noted {
		if born, runs := lives(r.PID); runs && born == r.Born {
			alive = append(alive, r)
		}
	}
	return alive, nil
}

// Down ends the bed that runs in a folder, whoever started it, and tells which
// roles it ended; devices first. What has not ended when ctx does is killed.
// ErrNotUp: there is none.
func Down(ctx context.Context, dir string) ([]Role, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	roles, err := running(dir)
	if err != nil {
		return nil, err
	}
	if len(roles) == 0 {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrNotUp), removeRun(dir))
	}
	roles = slices.Concat(slices.DeleteFunc(slices.Clone(roles), func(r Role) bool { return !r.Device }),
		slices.DeleteFunc(roles, func(r Role) bool { return r.Device })) // in the order in which they end
	var all []*process
	for _, r := range roles {
		p := &process{name: r.Name, pid: r.PID, device: r.Device, control: control.NewClient(r.Control), log: logIn(dir, r.Name), ended: make(chan struct{})}
		go p.await()
		all = append(all, p)
	}
	return roles, errors.Join(stopAll(ctx, all), removeRun(dir))
}

// await looks for the end of a process that is not our child.
func (r *process) await() {
	for {
		if _, runs := lives(r.pid); !runs {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(r.ended)
}

// lives tells whether a process runs, and when it was born, which tells it from
// a later one with its number: in ticks since the machine was started, on Linux;
// elsewhere empty. One that has ended and was not waited for by its parent has
// ended all the same.
func lives(pid int) (born string, runs bool) {
	if syscall.Kill(pid, 0) != nil {
		return "", false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", true
	}
	// Behind the program's name: the state is field 3, the time field 22 (proc(5)).
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 20 {
		return "", true
	}
	return fields[19], fields[0] != "Z"
}
