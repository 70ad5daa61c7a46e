package server_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// Presence documents that are meant to do harm are refused by a server with a reason,
// and it goes on: the next PUBLISH on the same connection is taken.
func TestHostileDocuments(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	const head = `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.com">`
	const good = head + `<tuple id="t"><status><basic>open</basic></status></tuple></presence>`
	publish := func(doc string) *message.Response {
		req := alice.request("PUBLISH", "alice", "Event", "presence", "Expires", "600")
		message.SetBody(req, "application/pidf+xml", []byte(doc))
		return next(t, alice.ask(req))
	}
	for name, tt := range map[string]struct {
		doc    string
		status int
		says   string
	}{
		"entities":           {`<!DOCTYPE presence [<!ENTITY a "b">]>` + good, 400, "document type"},
		"external reference": {`<!DOCTYPE presence SYSTEM "file:///etc/passwd">` + good, 400, "document type"},
		"depth 10,000":       {head + strings.Repeat("<x>", 10_000), 413, "nested deeper"},
		"above 64 KiB":       {head + strings.Repeat(" ", 64<<10) + "</presence>", 413, "bytes"},
		"many elements":      {head + strings.Repeat("<x/>", 5_000) + "</presence>", 413, "elements"},
		"attribute twice":    {strings.Replace(good, `id="t"`, `id="t" id="u"`, 1), 400, "twice"},
		"second root":        {good + good, 400, "second root"},
		"bytes behind":       {good + "x", 400, "outside the root"},
		"undeclared prefix":  {head + "<q:x/></presence>", 400, "without a declaration"},
		"UTF-16":             {"\xff\xfe<\x00p\x00", 400, "UTF-8"},
		"Latin-1":            {`<?xml version="1.0" encoding="ISO-8859-1"?>` + good, 400, "ISO-8859-1"},
		"not UTF-8":          {strings.Replace(good, "open", "\xff", 1), 400, "UTF-8"},
		"overlong":           {strings.Replace(good, "open", "\xc0\xaf", 1), 400, "UTF-8"},
		"NUL":                {good + "\x00", 400, "U+0000"},
		"no XML":             {"hello", 400, "outside the root"},
	} {
		res := publish(tt.doc)
		if res == nil || res.StatusCode != tt.status || !strings.Contains(message.Get(res, "Warning"), tt.says) {
			t.Errorf("%s: %s", name, fmt.Sprintf("%.300v", res))
		}
		if res := publish(good); res == nil || res.StatusCode != 200 {
			t.Fatalf("after %s: %v", name, res)
		}
	}
	// One of 10 MB is refused by what its head says, and passed over: the connection
	// goes on behind it.
	conn, err := net.Dial("tcp", b.servers["a"].Addr("TCP").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	for i, body := range []string{strings.Repeat("<x>", 10<<20/3), good} {
		fmt.Fprintf(conn, "PUBLISH sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"+
			"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: big\r\nCSeq: %d PUBLISH\r\nEvent: presence\r\n"+
			"Content-Type: application/pidf+xml\r\nContent-Length: %d\r\n\r\n%s", i, i, len(body), body)
		line, err := r.ReadString('\n')
		if want := []string{"SIP/2.0 413 ", "SIP/2.0 200 "}[i]; !strings.HasPrefix(line, want) {
			t.Fatalf("%d bytes are answered %q, %v", len(body), line, err)
		}
		for line != "\r\n" && err == nil {
			line, err = r.ReadString('\n')
		}
	}
}
