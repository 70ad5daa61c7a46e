package figures

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// load is many devices in one process, over one connection to each server: it
// publishes, watches, and takes what it is sent. Servers must believe its From.
type load struct {
	*sip.Endpoint
	t       *testing.T
	servers map[string]netip.AddrPort

	mu      sync.Mutex
	watches map[string]*watch   // by Call-ID
	of      map[string][]*watch // by whom they are of
	waiting map[string]*wait    // by whom it is of
	pages   map[string]int      // MESSAGEs taken, by Call-ID and the server that brought it
}

// watch is one subscription, and what it was told.
type watch struct {
	name   string
	user   string         // whom it is of
	server string         // where it was asked for
	shown  map[string]int // version of each device in the latest document
	newer  map[string]int // the newest version there was
	last   []byte
	same   int // documents like the one before
}

// wait is for all watches of a user to show that device's version, or newer.
type wait struct {
	device  string
	version int
	left    int
	last    time.Time
	done    chan struct{}
}

func newLoad(t *testing.T, servers map[string]string) *load {
	l := unheard(t, servers)
	l.run(l)
	return l
}

// unheard is one that does not run yet.
func unheard(t *testing.T, servers map[string]string) *load {
	l := &load{t: t, servers: map[string]netip.AddrPort{}, watches: map[string]*watch{}, of: map[string][]*watch{}, waiting: map[string]*wait{}, pages: map[string]int{}}
	for x, at := range servers {
		l.servers[x] = netip.MustParseAddrPort(at)
	}
	return l
}

// run has its endpoint serve until the test ends.
func (l *load) run(handler sip.Handler) {
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	var err error
	if l.Endpoint, err = sip.New(sip.Config{Name: "load", Bind: lo.Addr(), Handler: handler, Listen: []sip.Listen{{Transport: "TCP", Addr: lo}}}); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = l.Run(ctx) }()
	l.t.Cleanup(func() { cancel(); <-done })
}

// request is one of a user's, outside any dialog.
func (l *load) request(method, user, to string, fields ...string) *message.Request {
	req := message.NewRequest(method, message.URI{Scheme: "sip", User: to, Host: "example.com"})
	for _, f := range [][2]string{
		{"Max-Forwards", "70"}, {"From", "<sip:" + user + "@example.com>;tag=" + sip.NewTag()}, {"To", "<sip:" + to + "@example.com>"},
		{"Call-ID", sip.NewTag()}, {"CSeq", "1 " + method}, {"Contact", "<sip:" + user + "@" + l.Addr("TCP").String() + ";transport=tcp>"},
	} {
		message.Add(req, f[0], f[1])
	}
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(req, fields[i], fields[i+1])
	}
	return req
}

// answer is the final response to a request, or none, and when it came.
type answer struct {
	*message.Response
	at time.Time
}

// status is 0 without a response.
func (a answer) status() int {
	if a.Response == nil {
		return 0
	}
	return a.StatusCode
}

func (l *load) ask(x string, req *message.Request) answer {
	final := make(chan answer, 1)
	l.Send(req, sip.Target{Transport: "TCP", Addr: l.servers[x]}, func(res *message.Response, err error) {
		if err != nil || res.StatusCode >= 200 {
			select {
			case final <- answer{res, time.Now()}:
			default: // another 2xx to an INVITE
			}
		}
	})
	return <-final
}

// publication is what one device publishes at a server.
type publication struct {
	user, device, server, etag string
	version                    int
}

// publish says the next version; it gives when that was acknowledged.
func (l *load) publish(p *publication) time.Time {
	p.version++
	req := l.request(message.PUBLISH, p.user, p.user, "Event", "presence", "Expires", "3600")
	if p.etag != "" {
		message.Add(req, "SIP-If-Match", p.etag)
	}
	message.SetBody(req, "application/pidf+xml", document(p.user, p.device, p.version))
	return l.published(p, l.ask(p.server, req))
}

// document is what a device publishes; versions reads it.
func document(user, device string, version int) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com">
<tuple id="%s"><status><basic>open</basic></status><contact priority="0.8">sip:%[2]s@host.example.com</contact><note>version %d</note></tuple>
</presence>
`, user, device, version)
}

// unpublish takes it back.
func (l *load) unpublish(p *publication) {
	l.published(p, l.ask(p.server, l.request(message.PUBLISH, p.user, p.user, "Event", "presence", "Expires", "0", "SIP-If-Match", p.etag)))
}

func (l *load) published(p *publication, a answer) time.Time {
	if a.status() != 200 {
		l.t.Errorf("PUBLISH of %s of %s: %d", p.device, p.user, a.status())
		return a.at
	}
	p.etag = message.Get(a.Response, "SIP-ETag")
	return a.at
}

// watch subscribes for an hour.
func (l *load) watch(watcher, x, user string) *watch {
	w := &watch{name: watcher + " at server-" + x + " of " + user, user: user, server: x, shown: map[string]int{}, newer: map[string]int{}}
	req := l.request(message.SUBSCRIBE, watcher, user, "Event", "presence", "Accept", "application/pidf+xml", "Expires", "3600")
	l.mu.Lock()
	l.watches[message.CallID(req)] = w
	l.of[user] = append(l.of[user], w)
	l.mu.Unlock()
	if a := l.ask(x, req); a.status() != 200 {
		l.t.Errorf("SUBSCRIBE of %s: %d", w.name, a.status())
	}
	return w
}

// register makes the user's device known for IM.
func (l *load) register(user, x string) {
	if a := l.ask(x, l.request(message.REGISTER, user, user, "Expires", "3600")); a.status() != 200 {
		l.t.Errorf("REGISTER of %s: %d", user, a.status())
	}
}

// says sends a MESSAGE, or an INVITE for a session of messages.
func (l *load) says(method, user, x, to string) (status int, took time.Duration) {
	req := l.request(method, user, to)
	if method == message.INVITE {
		message.SetBody(req, "application/sdp", []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\na=path:msrp://127.0.0.1:7654/s;tcp\r\n"))
	} else {
		message.SetBody(req, "text/plain", []byte("R u there"))
	}
	began := time.Now()
	a := l.ask(x, req)
	return a.status(), a.at.Sub(began)
}

// expect is a wait for all watches of a user, to be made before the change is.
func (l *load) expect(user, device string, version int) *wait {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &wait{device: device, version: version, left: len(l.of[user]), done: make(chan struct{})}
	l.waiting[user] = w
	return w
}

// repeated is how many documents told a watcher what she knew, since it was asked
// last.
func (l *load) repeated() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.watches {
		n += w.same
		w.same = 0
	}
	return n
}

func (l *load) ServeRequest(tx *sip.ServerTx) {
	req := tx.Request()
	status := 200
	switch req.Method {
	case message.NOTIFY:
		l.told(message.CallID(req), req.Body())
	case message.INVITE:
		status = 486
	case message.MESSAGE:
		l.mu.Lock()
		key := message.CallID(req) + " by " + tx.Source().Remote.String()
		if l.pages[key]++; l.pages[key] > 1 {
			l.t.Errorf("MESSAGE %s came %d times", key, l.pages[key])
		}
		l.mu.Unlock()
	}
	res := message.NewResponse(req, status, "", "load")
	if status < 300 && message.Has(req, "Contact") {
		message.Add(res, "Contact", "<sip:load@"+l.Addr("TCP").String()+";transport=tcp>")
	}
	_ = tx.Respond(res)
}

// versions are those that a document shows, by device.
func versions(body []byte) map[string]int {
	shown := map[string]int{}
	for _, tuple := range bytes.Split(body, []byte(`<tuple id="`))[1:] {
		id, rest, _ := bytes.Cut(tuple, []byte(`"`))
		_, rest, _ = bytes.Cut(rest, []byte("version "))
		n, _, _ := bytes.Cut(rest, []byte("<"))
		shown[string(id)], _ = strconv.Atoi(string(n))
	}
	return shown
}

func (l *load) ServeAck(*message.Request, sip.Source)       {}
func (l *load) ServeResponse(*message.Response, sip.Source) {}
func (l *load) ConnectionClosed(sip.Source)                 {}

// told takes a document in; one that goes back behind an earlier one is an error.
func (l *load) told(callID string, body []byte) {
	now := time.Now()
	shown := versions(body)
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watches[callID]
	if w == nil || len(body) == 0 {
		return
	}
	if bytes.Equal(body, w.last) {
		w.same++
	}
	for device, n := range shown {
		if n < w.newer[device] {
			l.t.Errorf("%s: version %d of %s after %d", w.name, n, device, w.newer[device])
		}
		w.newer[device] = max(n, w.newer[device])
	}
	before := w.shown
	w.shown, w.last = shown, bytes.Clone(body)
	if e := l.waiting[w.user]; e != nil && before[e.device] < e.version && shown[e.device] >= e.version {
		if e.left--; e.left == 0 {
			e.last = now
			delete(l.waiting, w.user)
			close(e.done)
		}
	}
}
