package model

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"presfed/agents/certs"
	"presfed/db"
)

const domainName = "example.com"

// variant is what a bed is made for.
type variant struct {
	Servers      int           `json:"servers"`
	Policy       db.PolicyMode `json:"policy"`
	Synchronised bool          `json:"synchronised,omitempty"`
	ToRoot       bool          `json:"to_root,omitempty"`
}

// bed is a domain of real servers. What they send each other goes through
// relays; between any two the link can be cut.
type bed struct {
	dir       string
	variant   variant
	directory *db.DB
	servers   []*server
	cuts      map[[2]int]bool
}

// server is one of them, and where it is.
type server struct {
	program   string
	name, dir string
	addr      netip.Addr
	relay     *relay
	listen    []string // once it has run
	admin     string
	args      []string
	cmd       *exec.Cmd // nil: it is dead
	said      *bytes.Buffer
	gone      func()
}

func newBed(ctx context.Context, program string, v variant) (b *bed, err error) {
	b = &bed{variant: v, cuts: map[[2]int]bool{}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "presfed-model-"); err != nil {
		return b, err
	}
	directory := filepath.Join(b.dir, "directory.db")
	if b.directory, err = db.Open(ctx, directory, db.Options{Create: true, Domain: db.Domain{Name: domainName, PolicyMode: v.Policy, Default: db.Allow}}); err != nil {
		return b, err
	}
	authority, err := certs.EnsureAuthority(filepath.Join(b.dir, "certs"), "presfed model", time.Now())
	if err != nil {
		return b, err
	}
	x, y := byte(1+rand.IntN(250)), byte(rand.IntN(256))
	for i := range v.Servers {
		s := &server{program: program, name: "server-" + string(rune('a'+i)), dir: b.dir, addr: netip.AddrFrom4([4]byte{127, x, y, byte(11 + i)})}
		b.servers = append(b.servers, s)
		host := "server" + string(rune('a'+i)) + "." + domainName
		if _, _, err = authority.Issue(certs.Request{Name: s.name, Hosts: []string{host}}, time.Now()); err != nil {
			return b, err
		}
		if s.relay, err = newRelay(shown(s.addr).String() + ":0"); err != nil {
			return b, err
		}
		uri := "sip:" + s.relay.listener.Addr().String() + ";transport=tls"
		if err = b.directory.AddServer(ctx, db.Server{Name: s.name, URI: uri, Identity: host}); err != nil {
			return b, err
		}
		s.relay.target = netip.AddrPortFrom(s.addr, s.relay.listener.Addr().(*net.TCPAddr).AddrPort().Port()).String()
		s.listen = []string{"tcp:" + s.addr.String() + ":0", "tls:" + s.relay.target}
		s.args = []string{"server", s.name, "--directory", directory, "--certs", filepath.Join(b.dir, "certs"), "--end-with-input",
			"--peer-retry", "100ms", "--share-grace", grace.String(), "--min-expires", "1s", "--log-level", "info",
			fmt.Sprintf("--synchronised=%t", v.Synchronised), fmt.Sprintf("--publish-to-root=%t", v.ToRoot)}
		s.admin = s.addr.String() + ":0"
		if err = s.start(); err != nil {
			return b, err
		}
	}
	return b, nil
}

// grace is how long a share stays whose server is away.
const grace = 250 * time.Millisecond

// start runs a server where it was before, and returns when it is ready.
func (s *server) start() error {
	args := append(s.args[:len(s.args):len(s.args)], "--admin", s.admin)
	for _, l := range s.listen {
		args = append(args, "--listen", l)
	}
	cmd := exec.Command(s.program, args...)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PRESFED_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	said := &bytes.Buffer{} // read when the process is gone
	cmd.Stderr = said
	life, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	old := s.said
	s.cmd, s.said = cmd, said
	s.gone = sync.OnceFunc(func() {
		_ = cmd.Wait()
		life.Close()
		if old != nil {
			said.WriteString("\nand before:\n")
			tail := old.Bytes()
			said.Write(tail[max(0, len(tail)-200_000):])
		}
	})
	hurry := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer hurry.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 5 || fields[0] != "ready" {
		s.kill()
		return fmt.Errorf("%s said %q (%v)\n%s", s.name, line, err, said.String())
	}
	s.listen, s.admin = fields[2:4], strings.TrimPrefix(fields[4], "http://")
	return nil
}

// kill ends it with signal 9, and returns when it is no more.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	s.gone()
	s.cmd = nil
}

func (s *server) alive() bool { return s.cmd != nil }

// set cuts the link between two servers, or heals it.
func (b *bed) set(i, j int, cut bool) {
	i, j = min(i, j), max(i, j)
	b.cuts[[2]int{i, j}] = cut
	b.servers[i].relay.set(b.servers[j].addr, cut)
	b.servers[j].relay.set(b.servers[i].addr, cut)
}

// linked says whether two servers can reach each other.
func (b *bed) linked(i, j int) bool {
	return b.servers[i].alive() && b.servers[j].alive() && (i == j || !b.cuts[[2]int{min(i, j), max(i, j)}])
}

// mend has everything up and connected.
func (b *bed) mend() error {
	var errs []error
	for i, s := range b.servers {
		for j := range i {
			b.set(i, j, false)
		}
		if !s.alive() {
			errs = append(errs, s.start())
		}
	}
	return errors.Join(errs...)
}

// known waits until every server that is up has seen what the directory says.
func (b *bed) known(ctx context.Context) error {
	revision, err := b.directory.Revision(ctx)
	for i := 0; err == nil && i < len(b.servers); {
		if !b.servers[i].alive() {
			i++
			continue
		}
		var seen string
		var n float64
		if seen, err = b.servers[i].gauge("presfed_directory_revision"); err != nil {
			return err
		}
		if n, err = strconv.ParseFloat(seen, 64); n >= float64(revision.Number) {
			i++
			continue
		}
		select {
		case <-time.After(10 * time.Millisecond): // nothing tells when it changes
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

// gauge reads a number of a server.
func (s *server) gauge(name string) (string, error) {
	res, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text); m != nil {
		return string(m[1]), err
	}
	return "", fmt.Errorf("no %s (%w)", name, err)
}

// empty waits until the servers that are up hold nothing of anybody.
func (b *bed) empty() error {
	end := time.Now().Add(patience)
	for _, s := range b.servers {
		for _, gauge := range []string{"presfed_subscriptions", "presfed_presentities", "presfed_bindings"} {
			for s.alive() {
				left, err := s.gauge(gauge)
				if err != nil {
					return err
				}
				if left == "0" {
					break
				}
				if time.Now().After(end) {
					return fmt.Errorf("%s: %s %s are left over", s.name, left, gauge)
				}
				time.Sleep(20 * time.Millisecond) // nothing tells when it changes
			}
		}
	}
	return nil
}

// close ends the servers; the clean end of each that is alive is waited for.
func (b *bed) close() error {
	var errs []error
	for _, s := range b.servers {
		if s.alive() && s.cmd.Process != nil {
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			hurry := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
			s.gone()
			hurry.Stop()
			if code := s.cmd.ProcessState.ExitCode(); code != 0 && code != 130 && code != 143 {
				errs = append(errs, fmt.Errorf("%s ended with %s", s.name, s.cmd.ProcessState))
			}
		}
		if s.relay != nil {
			s.relay.close()
		}
	}
	if b.directory != nil {
		errs = append(errs, b.directory.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// logs are the ends of what the servers said; they are to be gone.
func (b *bed) logs() string {
	var out strings.Builder
	for _, s := range b.servers {
		if s.alive() {
			s.kill()
		}
		text := s.said.String()
		fmt.Fprintf(&out, "%s said:\n%s\n", s.name, text)
	}
	return out.String()
}
