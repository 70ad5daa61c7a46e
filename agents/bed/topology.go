package bed

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"presfed/agents/client"
	"presfed/db"
	"presfed/routing"
)

// Topology is who takes part in a bed, and who serves whom.
type Topology struct {
	Domain  string   `yaml:"domain"`
	Subnet  string   `yaml:"subnet,omitempty"` // empty: everybody on 127.0.0.1
	Servers []Server `yaml:"servers"`
	Users   []User   `yaml:"users"`
	Devices []Device `yaml:"devices,omitempty"`
	// Digest is the order of digest algorithms in the servers' challenges; empty: theirs.
	// Some devices give up on a challenge that has more than MD5.
	Digest []string `yaml:"digest,omitempty"`
}

// Server is one that federates.
type Server struct {
	Name string `yaml:"name"`
	Host string `yaml:"host"` // its host name, which its certificate proves
	At   byte   `yaml:"at"`   // the last byte of its address in the subnet
}

// User is somebody in the domain; whom she knows stands as a user part, or as an
// address of record.
type User struct {
	Name     string   `yaml:"name"`
	Password string   `yaml:"password"`
	Model    string   `yaml:"model,omitempty"` // empty: partitioned
	Servers  []string `yaml:"servers"`
	Root     string   `yaml:"root,omitempty"`
	Allow    []string `yaml:"allow,omitempty"`
	Block    []string `yaml:"block,omitempty"`
	Buddies  []string `yaml:"buddies,omitempty"`
}

// Device is one device of a user.
type Device struct {
	Name         string `yaml:"name"`
	User         string `yaml:"user"`
	Server       string `yaml:"server,omitempty"` // the one it speaks to; empty: the first that serves its user
	At           byte   `yaml:"at"`
	Answer       string `yaml:"answer,omitempty"`       // as presfed agent --answer; empty: ring
	Capabilities string `yaml:"capabilities,omitempty"` // of its Contact; empty: those of a device for messages
	// Calendar is an iCalendar file in the bed's folder, empty if it is not there:
	// the device is then the feeder that publishes it.
	Calendar string `yaml:"calendar,omitempty"`
}

//go:embed examples
var examples embed.FS

// Models are those that there is an Example of.
var Models = []routing.Model{routing.Partitioned, routing.Hierarchical, routing.Peer}

// Example is the topology file that the draft's flows of a model are drawn on.
// The addresses of several stand beside each other in one subnet.
func Example(model routing.Model) ([]byte, error) {
	text, err := examples.ReadFile("examples/" + string(model) + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no example of a bed that is %q", model)
	}
	return text, nil
}

// maxTopology bounds a topology file.
const maxTopology = 1 << 20

// ReadTopology reads a topology file. Its errors name the file, and the line
// where they can.
func ReadTopology(path string) (Topology, error) {
	file, err := os.Open(path)
	if err != nil {
		return Topology{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTopology+1))
	if err != nil {
		return Topology{}, err
	}
	t, err := ParseTopology(text)
	if err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// ParseTopology reads what a topology file holds.
func ParseTopology(text []byte) (t Topology, err error) {
	if len(text) > maxTopology {
		return t, fmt.Errorf("larger than %d bytes", maxTopology)
	}
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&t)
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is empty")
	}
	if err == nil {
		err = t.check()
	}
	return t, err
}

// draft is the Example of a model; subnets are for who starts it to choose.
func draft(model routing.Model) (Topology, error) {
	text, err := Example(model)
	if err != nil {
		return Topology{}, err
	}
	t, err := ParseTopology(text)
	t.Subnet = ""
	return t, err
}

// check finds what could not be built.
func (t *Topology) check() error {
	if t.Domain == "" {
		return errors.New("domain is missing")
	}
	if len(t.Servers) == 0 {
		return errors.New("servers: there is none")
	}
	names, places := map[string]bool{}, map[byte]string{}
	participant := func(name string, at byte) error {
		switch {
		case name == "" || strings.ContainsAny(name, "/\\ \t\r\n") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-"):
			return fmt.Errorf("%q is no name of a participant", name)
		case names[name]:
			return fmt.Errorf("%s is there twice", name)
		case t.Subnet != "" && (at == 0 || at == 255):
			return fmt.Errorf("%s: at is %d, want the last byte of an address, 1 to 254", name, at)
		case t.Subnet != "" && places[at] != "":
			return fmt.Errorf("%s and %s are both at %d", places[at], name, at)
		}
		names[name], places[at] = true, name
		return nil
	}
	for _, s := range t.Servers {
		if err := participant(s.Name, s.At); err != nil {
			return err
		}
		if s.Host == "" {
			return fmt.Errorf("%s: host is missing: its certificate has to prove one", s.Name)
		}
	}
	for i, u := range t.Users {
		if err := t.checkUser(u, t.Users[:i]); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	for _, d := range t.Devices {
		if err := participant(d.Name, d.At); err != nil {
			return err
		}
		u, ok := t.user(d.User)
		if !ok || len(u.Servers) == 0 {
			return fmt.Errorf("%s: there is no user %q", d.Name, d.User)
		}
		if d.Server != "" && !slices.Contains(u.Servers, d.Server) {
			return fmt.Errorf("%s: %s does not serve %s", d.Name, d.Server, d.User)
		}
		if _, err := d.answer(); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		if d.Calendar != filepath.Base(d.Calendar) && d.Calendar != "" {
			return fmt.Errorf("%s: calendar %q: want the name of a file in the bed's folder", d.Name, d.Calendar)
		}
	}
	if t.Subnet != "" {
		if _, err := t.subnet(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Topology) checkUser(u User, before []User) error {
	if _, err := db.ParseAOR(u.Name, t.Domain); err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(other User) bool { return other.Name == u.Name }) {
		return errors.New("is there twice")
	}
	if len(u.Servers) == 0 {
		return errors.New("servers is missing: who serves the user?")
	}
	for _, name := range u.Servers {
		if _, ok := t.server(name); !ok {
			return fmt.Errorf("there is no server %q", name)
		}
	}
	_, err := u.place()
	return err
}

func (d Device) answer() (client.Answer, error) {
	return client.ParseAnswer(cmp.Or(d.Answer, string(client.AnswerRing)))
}

func (u User) place() (routing.Place, error) {
	place := routing.Place{Model: routing.Partitioned, Servers: u.Servers, Root: u.Root}
	if u.Model == "" {
		return place, nil
	}
	var err error
	place.Model, err = routing.ParseModel(u.Model)
	return place, err
}

func (t *Topology) subnet() (netip.Prefix, error) {
	p, err := netip.ParsePrefix(t.Subnet)
	if err != nil {
		return p, fmt.Errorf("subnet %q: want a network such as 127.10.20.0/24", t.Subnet)
	}
	return p, checkSubnet(p)
}

func (t *Topology) server(name string) (Server, bool) {
	i := slices.IndexFunc(t.Servers, func(s Server) bool { return s.Name == name })
	if i < 0 {
		return Server{}, false
	}
	return t.Servers[i], true
}

func (t *Topology) user(name string) (User, bool) {
	i := slices.IndexFunc(t.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, false
	}
	return t.Users[i], true
}

// home is the server that a device speaks to.
func (t *Topology) home(d Device) string {
	u, _ := t.user(d.User)
	return cmp.Or(d.Server, u.Servers[0])
}

// order is every participant, servers first.
func (t *Topology) order() (names []string) {
	for _, s := range t.Servers {
		names = append(names, s.Name)
	}
	for _, d := range t.Devices {
		names = append(names, d.Name)
	}
	return names
}
