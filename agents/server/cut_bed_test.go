package server_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/cut"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// split is server-a and server-b, each of which reaches the other over a link that
// can be cut: ann and art are on a, bob and ben on b, alice is on both.
type split struct {
	*domain
	links    []*cut.Link
	versions map[string]int    // by device: of what it published last
	etags    map[string]string // of it
}

// retry is how often the servers of a split try each other.
const retry = 200 * time.Millisecond

func splitOver(t *testing.T, place routing.Place, mode db.PolicyMode, grace time.Duration) *split {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs another loopback address than 127.0.0.1")
	}
	s := &split{versions: map[string]int{}, etags: map[string]string{}}
	s.domain = federatedWith(t, func(c *server.Config) {
		believing(c)
		c.FirstNotify, c.ShareGrace, c.PeerRetry, c.KeepAlive = time.Second, grace, retry, 300*time.Millisecond
		c.Synchronised = false // so that no server is behind
		// Not where the link's own connections come from: a response whose connection
		// is gone goes there (RFC 3261 section 18.2.2), and would go past the link.
		for i, l := range c.Listen {
			if l.Transport == "TLS" {
				c.Listen[i].Addr = netip.MustParseAddrPort("127.0.0.2:0")
			}
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for user, at := range map[string]string{"ann": "server-a", "art": "server-a", "ben": "server-b"} {
		must(s.directory.AddUser(t.Context(), db.User{AOR: user + "@example.com"}))
		must(s.directory.Assign(t.Context(), user+"@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{at}}))
		s.rule(user, db.MatchDefault, "", db.Allow)
	}
	for _, name := range []string{"a", "b"} {
		link, err := cut.New(s.servers[name].Addr("TLS").String())
		must(err)
		t.Cleanup(func() { link.Close() })
		s.links = append(s.links, link)
		must(s.directory.SetServer(t.Context(), db.Server{Name: "server-" + name,
			URI: "sip:" + link.Addr().String() + ";transport=tls", Identity: "server" + name + ".example.com"}))
	}
	must(s.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: mode}))
	must(s.directory.Assign(t.Context(), "alice@example.com", place))
	return s
}

func (s *split) set(state cut.State) {
	for _, link := range s.links {
		link.Set(state)
	}
}

// says publishes the next version of what a device says.
func (s *split) says(c *client.Client, user, device string) {
	s.t.Helper()
	s.versions[device]++
	note := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com"><tuple id="%s"><status><basic>open</basic></status><note>version %d</note></tuple></presence>`, user, device, s.versions[device])
	s.etags[device] = publishes(s.t, c, s.etags[device], []byte(note))
}

// viewer is one watcher, and all that it was told.
type viewer struct {
	t     *testing.T
	name  string
	sub   *client.Subscription
	mu    sync.Mutex
	told  []map[string]int // version of each tuple, a document
	same  int              // documents like the one before
	last  string
	news  chan struct{} // closed and renewed
	newer map[string]int
}

func (s *split) views(user, at, whom string) *viewer {
	s.t.Helper()
	v := &viewer{t: s.t, name: user + " at " + at + " of " + whom, news: make(chan struct{}), newer: map[string]int{}}
	c, err := client.New(client.Config{Name: user + "-pc", User: user + "@example.com",
		Server: "tcp:" + s.servers[at].Addr("TCP").String(), OnEvent: v.heard})
	if err != nil {
		s.t.Fatal(err)
	}
	start(s.t, c.Run, func() error { return nil })
	if v.sub, err = c.Subscribe(timeout(s.t), whom, client.SubscribeOptions{Expires: time.Hour}); err != nil {
		s.t.Fatal(err)
	}
	return v
}

var versioned = regexp.MustCompile(`(?s)<tuple id="([a-z]+)">.*?version ([0-9]+)<`)

// heard notes a document; one that goes back behind an earlier one is an error.
func (v *viewer) heard(e client.Event) {
	if e.Type != "presence" || e.Body == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	shown := map[string]int{}
	for _, m := range versioned.FindAllStringSubmatch(e.Body, -1) {
		shown[m[1]], _ = strconv.Atoi(m[2])
	}
	for device, n := range shown {
		if n < v.newer[device] {
			v.t.Errorf("%s: version %d of %s after %d", v.name, n, device, v.newer[device])
		}
		v.newer[device] = n
	}
	if e.Body == v.last {
		v.same++
	}
	v.last, v.told = e.Body, append(v.told, shown)
	close(v.news)
	v.news = make(chan struct{})
}

// sees waits until the latest document shows these devices as they are, and no
// others.
func (s *split) sees(v *viewer, what string, devices ...string) {
	s.t.Helper()
	want := map[string]int{}
	for _, d := range devices {
		want[d] = s.versions[d]
	}
	v.waits(what, want)
}

func (v *viewer) waits(what string, want map[string]int) {
	v.t.Helper()
	for end := time.After(20 * time.Second); ; {
		v.mu.Lock()
		var is map[string]int
		if len(v.told) > 0 {
			is = v.told[len(v.told)-1]
		}
		news := v.news
		v.mu.Unlock()
		if fmt.Sprint(is) == fmt.Sprint(want) {
			return
		}
		select {
		case <-news:
		case <-v.sub.Done():
			v.t.Fatalf("%s: %s: the subscription has ended", v.name, what)
		case <-end:
			v.t.Fatalf("%s: %s: sees %v, want %v", v.name, what, is, want)
		}
	}
}

// repeated is how often it was told what it knew since it was asked last.
func (v *viewer) repeated() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	defer func() { v.same = 0 }()
	return v.same
}
