package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"presfed/agents/certs"
	"presfed/agents/internal/control"
)

// process is one role.
type process struct {
	name    string
	control *control.Client
	info    control.Info // once it is ready
	log     string       // its standard output and error
	device  bool

	pid   int
	cmd   *exec.Cmd      // nil where somebody else started it
	life  io.WriteCloser // its standard input: it ends with it; nil: detached
	ended chan struct{}  // closed when it has
	err   error          // how it ended, once it has
}

// launch starts a role, with its log in the run folder.
func (p *Processes) launch(o ProcessOptions, name string, arguments []string) error {
	r := &process{name: name, control: control.NewClient(socketIn(p.dir, name)), log: logIn(p.dir, name), ended: make(chan struct{})}
	_, server := p.options.Topology.server(name)
	r.device = !server
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r.cmd = exec.Command(o.Program, arguments...)
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.Env = log, log, environment(o.KeyLog)
	// A session of its own: an interrupt at the terminal is for the bed, which
	// ends its roles in order.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !o.Detach {
		// When the bed's process is gone, however, its end of the pipe is too.
		if r.life, err = r.cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := r.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.pid = r.cmd.Process.Pid
	p.roles[name] = r
	go func() { // ends with the process
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	return p.note()
}

// environment is ours without what would reach into a role's flags.
func environment(keyLog string) (out []string) {
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PRESFED_") && !strings.HasPrefix(pair, "SSLKEYLOGFILE=") {
			out = append(out, pair)
		}
	}
	if keyLog != "" {
		out = append(out, "SSLKEYLOGFILE="+keyLog)
	}
	return out
}

func (p *Processes) serverArguments(s Server) []string {
	arguments := []string{
		"server", s.Name, "--directory", directoryIn(p.dir), "--state", stateIn(p.dir, s.Name), "--certs", certsIn(p.dir),
		"--listen", "udp:" + p.options.addr(s.At, portSIP).String(), "--listen", "tcp:" + p.options.addr(s.At, portSIP).String(),
		"--listen", "tls:" + p.ground.links[s.Name].String(), "--control", socketIn(p.dir, s.Name), "--json", "--log-level", "info",
		"--xcap", "tcp:" + netip.AddrPortFrom(p.options.addr(s.At, portSIP).Addr(), 0).String(),
	}
	if p.options.Synchronised {
		arguments = append(arguments, "--synchronised")
	}
	if digest := p.options.Topology.Digest; len(digest) > 0 {
		arguments = append(arguments, "--digest-algorithms", strings.Join(digest, ","))
	}
	if !p.detached {
		arguments = append(arguments, "--end-with-input")
	}
	return arguments
}

// deviceArguments are an agent's, or a feeder's. The password goes by a file of
// its own.
func (p *Processes) deviceArguments(d Device, o ProcessOptions) ([]string, error) {
	t := &p.options.Topology
	home, rules := "", ""
	for _, l := range p.roles[t.home(d)].info.Listen {
		switch l.Transport {
		case "TCP":
			home = "tcp:" + l.Addr.String()
		case "HTTP":
			rules = "http://" + l.Addr.String()
		}
	}
	here, media := p.options.addr(d.At, portSIP), p.options.addr(d.At, portMSRP)
	common := []string{
		"--user", t.aor(d.User), "--password-file", passwordIn(p.dir, d.User), "--server", home,
		"--authority", certs.FilesIn(certsIn(p.dir), d.Name).Authority,
		"--bind", here.Addr().String(), "--port", fmt.Sprint(here.Port()), "--control", socketIn(p.dir, d.Name), "--json",
	}
	if d.Calendar != "" {
		file, err := calendarIn(p.dir, d)
		arguments := append([]string{"calendar", file, "--name", d.Name, "--activity", meetingIs}, common...)
		if !o.Detach {
			arguments = append(arguments, "--end-with-input")
		}
		return arguments, err
	}
	arguments := append([]string{"agent", d.Name, "--directory", directoryIn(p.dir), "--xcap", rules, "--msrp-port", fmt.Sprint(media.Port())}, common...)
	if d.Answer != "" {
		arguments = append(arguments, "--answer", d.Answer)
	}
	if d.Capabilities != "" {
		arguments = append(arguments, "--capabilities", d.Capabilities)
	}
	if !o.Register { // what it does is for who tells it
		arguments = append(arguments, "--no-register", "--buddies=false", "--watchers=false")
	}
	if o.Detach {
		arguments = append(arguments, "--stay")
	}
	return arguments, nil
}

func passwordIn(dir, user string) string { return filepath.Join(dir, "passwords", user) }

// writePasswords is for the devices, and for whoever speaks as one of the users.
func (p *Processes) writePasswords() error {
	for _, u := range p.options.Topology.Users {
		path := passwordIn(p.dir, u.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(u.Password+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the role takes requests. One that ends before says why in
// its log, of which the last lines are the error.
func (r *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := make(chan struct{})
	defer func() { <-watch }()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(watch)
		select {
		case <-r.ended:
			cancel(errEnded)
		case <-stop:
		}
	}()
	info, err := r.control.Ready(ctx)
	if errors.Is(err, control.ErrEnded) { // its socket is the first to know
		select {
		case <-r.ended:
		case <-ctx.Done():
		}
	}
	if err != nil && (context.Cause(ctx) == errEnded || errors.Is(err, control.ErrEnded)) {
		return fmt.Errorf("it ended at once: %s", lastLines(r.log, 3))
	}
	if err != nil {
		return fmt.Errorf("it does not get ready: %w (its log is %s)", err, r.log)
	}
	info.PID = r.pid
	r.info = info
	return nil
}

var errEnded = errors.New("the process has ended")

// lastLines are the last n lines of a file, on one.
func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// stopAll ends devices, then servers, by their control sockets; what has not
// ended when ctx does is killed, and named in the error. Devices have half of the
// time, so that one that hangs does not cost servers their clean end.
func stopAll(ctx context.Context, roles []*process) error {
	var errs []error
	for _, devices := range []bool{true, false} {
		ctx := ctx
		if end, ok := ctx.Deadline(); ok && devices {
			half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
			defer cancel()
			ctx = half
		}
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, r := range roles {
			if r.device != devices {
				continue
			}
			group.Go(func() {
				if err := r.stop(ctx); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, fmt.Errorf("%s: %w", r.name, err))
				}
			})
		}
		group.Wait()
	}
	return errors.Join(errs...)
}

func (r *process) stop(ctx context.Context) error {
	select {
	case <-r.ended:
		return r.err
	default:
	}
	err := r.control.Stop(ctx)
	if r.life != nil {
		err = errors.Join(err, r.life.Close())
	}
	select {
	case <-r.ended:
		return r.err
	case <-ctx.Done():
	}
	kill := syscall.Kill(r.pid, syscall.SIGKILL)
	<-r.ended
	return errors.Join(err, kill, fmt.Errorf("killed: it had not ended (its log is %s)", r.log))
}
