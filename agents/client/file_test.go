package client_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/wire"
)

// taker is a device that takes files into a folder.
func taker(t *testing.T, server string, change func(*client.Config)) (*device, string) {
	dir := t.TempDir()
	return newDevice(t, "bob", server, func(c *client.Config) {
		c.AcceptFiles, c.Answer = dir, client.AnswerRing
		if change != nil {
			change(c)
		}
	}), dir
}

// names are what is in a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// saved writes a file of that many bytes.
func saved(t *testing.T, name string, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(content)
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// RFC 5547 section 9.1, and the same file again: nothing is overwritten.
func TestAFileArrives(t *testing.T) {
	for _, size := range []int{0, 1, 300_000} {
		bob, dir := taker(t, "tcp:127.0.0.1:9", nil) // which rings for people
		var mu sync.Mutex
		var descriptions []string
		alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), func(c *client.Config) {
			c.Tap = func(r wire.Record) {
				if text := string(r.Raw); r.Protocol == wire.SIP && strings.Contains(text, "m=message") {
					mu.Lock()
					defer mu.Unlock()
					descriptions = append(descriptions, text)
				}
			}
		})
		path, content := saved(t, "My picture, 100%.jpg", size)
		for i, want := range []string{"My picture, 100%.jpg", "My picture, 100% (2).jpg"} {
			var last int64
			err := alice.SendFile(timeout(t), "bob", path, client.FileOptions{Progress: func(sent, of int64) {
				if last = sent; of != int64(size) {
					t.Errorf("%d of %d", sent, of)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			bob.next("session")
			e := bob.next("file")
			if e.State != "complete" || e.Name != "My picture, 100%.jpg" || e.File != filepath.Join(dir, want) || e.Size != int64(size) || e.ContentType != "image/jpeg" || !strings.HasPrefix(e.Hash, "sha-256:") {
				t.Errorf("%+v", e)
			}
			bob.next("closed")
			got, err := os.ReadFile(e.File)
			if err != nil || !bytes.Equal(got, content) || len(names(t, dir)) != i+1 || last != int64(size) {
				t.Errorf("%d bytes, %v, %v, progress to %d", len(got), err, names(t, dir), last)
			}
		}
		sum := sha1.Sum(content)
		hash := strings.ToUpper(hex.EncodeToString(sum[:]))
		for i := len(hash) - 2; i > 0; i -= 2 {
			hash = hash[:i] + ":" + hash[i:]
		}
		selector := fmt.Sprintf("a=file-selector:name:\"My picture, 100%%25.jpg\" type:image/jpeg size:%d hash:sha-1:%s ", size, hash)
		mu.Lock()
		for i, d := range descriptions {
			is := func(s string) bool { return strings.Contains(d, s) }
			offer := strings.HasPrefix(d, "INVITE ")
			if !is(selector) || !is("a=file-transfer-id:") || is("a=sendonly\r\n") != offer || is("a=recvonly\r\n") == offer ||
				is("a=file-disposition:attachment\r\n") != offer || is("a=file-date:modification:") != offer {
				t.Errorf("%d: %s", i, d)
			}
		}
		if len(descriptions) != 4 {
			t.Errorf("%d descriptions", len(descriptions))
		}
		mu.Unlock()
	}
}

func TestFilesThatAreNotTaken(t *testing.T) {
	path, _ := saved(t, "x.bin", 5000)
	for name, change := range map[string]func(*client.Config){
		"files are not taken here":                      func(c *client.Config) { c.AcceptFiles = "" },
		"a file of 5000 bytes, and 4999 are taken here": func(c *client.Config) { c.MaxFile = 4999 },
	} {
		bob, _ := taker(t, "tcp:127.0.0.1:9", change)
		alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
		var refused *client.RefusedError
		if err := alice.SendFile(timeout(t), "bob", path, client.FileOptions{}); !errors.As(err, &refused) || refused.Status() != 488 || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if e := bob.next("file"); e.State != "refused" || e.Reason != name || e.Name != "x.bin" || e.Size != 5000 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	alice := newDevice(t, "alice", "tcp:127.0.0.1:9", nil)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(path), pipe} {
		sent := make(chan error, 1)
		go func() { sent <- alice.SendFile(timeout(t), "bob", path, client.FileOptions{}) }()
		var wrong *fs.PathError
		if err := within(t, sent, "the end"); !errors.As(err, &wrong) {
			t.Errorf("%s is sent: %v", path, err)
		}
	}
}

// Who does not know RFC 5547 takes the offer for one of a conversation, and gets no
// file; who refuses the media line says no as well.
func TestAnswersThatTakeNoFile(t *testing.T) {
	path, _ := saved(t, "x.bin", 5000)
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"no file-selector": {offer, client.ErrNoFiles},
		"port 0":           {strings.Replace(offer, "m=message 9 ", "m=message 0 ", 1), client.ErrDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			alice := newDevice(t, "alice", f.at(), nil)
			result := make(chan error, 1)
			go func() { result <- alice.SendFile(context.Background(), "bob", path, client.FileOptions{}) }()
			f.answer(f.asked("INVITE"), 200, "far", c.answer, "Contact", f.contact())
			f.acked()
			f.answer(f.asked("BYE"), 200, "", "")
			if err := within(t, result, "the end"); !errors.Is(err, c.want) {
				t.Error(err)
			}
		})
	}
}

// fileOffer is an offer of a file, by hand.
func fileOffer(media *msrp.Session, direction string, attributes ...string) string {
	d := media.Describe(msrp.SetupActpass)
	d.AcceptTypes = []string{"message/cpim"} // as RFC 5547 has it
	text, _ := d.Marshal()
	return string(text) + "a=" + direction + "\r\n" + strings.Join(attributes, "\r\n") + "\r\n"
}

// sum is the hash selector of a content.
func sum(content string) string {
	var pairs []string
	for _, c := range sha1.Sum([]byte(content)) {
		pairs = append(pairs, fmt.Sprintf("%02X", c))
	}
	return "hash:sha-1:" + strings.Join(pairs, ":")
}

func TestOffersOfFilesThatAreRefused(t *testing.T) {
	f := newFar(t)
	bob, dir := taker(t, f.at(), nil)
	for name, c := range map[string]struct {
		direction string
		selector  string
		status    int
	}{
		"pulled":            {"recvonly", `a=file-selector:name:"x"`, 488},
		"both ways":         {"sendrecv", `a=file-selector:size:3`, 488},
		"a part":            {"sendonly", "a=file-selector:size:3\r\na=file-range:2-3", 488},
		"larger than 1 GiB": {"sendonly", "a=file-selector:size:1073741825", 488},
		"not to be read":    {"sendonly", "a=file-selector:size:x", 400},
	} {
		res := f.ask(bob, f.invite(bob, fileOffer(newEnd(t).Session, c.direction, c.selector, "a=file-transfer-id:abcd")))
		if res.StatusCode != c.status || message.Get(res, "Warning") == "" {
			t.Errorf("%s: %d %s", name, res.StatusCode, message.Get(res, "Warning"))
		}
		if c.status == 488 {
			if e := bob.next("file"); e.State != "refused" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	if len(bob.Sessions()) > 0 || len(names(t, dir)) > 0 {
		t.Error("something is left")
	}
}

// What comes is held against what was offered, in whatever order it comes; what is
// not it leaves nothing.
func TestWhatComesIsChecked(t *testing.T) {
	const content = "the quick brown fox"
	for name, c := range map[string]struct {
		selector string
		body     io.Reader
		code     int    // of the SEND
		kept     string // file name; empty: none
	}{
		"as offered":          {`name:"x.txt" type:text/plain size:19 ` + sum(content), strings.NewReader(content), 0, "x.txt"},
		"nothing said of it":  {`type:text/plain`, io.MultiReader(strings.NewReader(content)), 0, "file"},
		"a path for a name":   {`name:"..%2F..%2Fetc%2Fpass%0Awd" size:19`, strings.NewReader(content), 0, "passwd"},
		"another hash":        {`size:19 ` + sum("other"), strings.NewReader(content), 413, ""},
		"too little":          {`size:20`, strings.NewReader(content), 413, ""},
		"too much":            {`size:18`, io.MultiReader(strings.NewReader(content)), 413, ""},
		"too much, and said":  {`size:18`, strings.NewReader(content), 413, ""},
		"another type":        {`type:image/png size:19`, strings.NewReader(content), 415, ""},
		"a hash nobody knows": {`size:19 hash:blake3:00:11`, strings.NewReader(content), 0, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			bob, dir := taker(t, f.at(), nil)
			far := newEnd(t)
			invite := f.invite(bob, fileOffer(far.Session, "sendonly", "a=file-selector:"+c.selector, "a=file-transfer-id:abcd"))
			res := f.ask(bob, message.Clone(invite))
			if res.StatusCode != 200 || !strings.Contains(string(res.Body()), "a=file-transfer-id:abcd\r\n") {
				t.Fatalf("%d\n%s", res.StatusCode, res.Body())
			}
			f.tell(bob, f.within("ACK", "1", invite, res))
			bob.next("session")
			theirs, err := msrp.ParseDescription(res.Body())
			if err != nil {
				t.Fatal(err)
			}
			theirs.AcceptTypes, theirs.MaxSize = nil, 0 // a sender that heeds nothing
			if err := far.Start(timeout(t), *theirs, msrp.Active); err != nil {
				t.Fatal(err)
			}
			_, err = far.Send(timeout(t), "text/plain", c.body, msrp.SendOptions{})
			var status *msrp.StatusError
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &status) || status.Code != c.code) {
				t.Errorf("Send: %v", err)
			}
			var want []string
			state := "failed"
			if c.kept != "" {
				want, state = []string{c.kept}, "complete"
			}
			if got := names(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q, want %q", got, want)
			}
			if _, err := far.Send(timeout(t), "text/plain", strings.NewReader("more"), msrp.SendOptions{}); !errors.As(err, &status) {
				t.Errorf("a second file: %v", err)
			}
			if res := f.ask(bob, f.within("BYE", "2", invite, res)); res.StatusCode != 200 {
				t.Errorf("BYE: %d", res.StatusCode)
			}
			if e := bob.next("file"); e.State != state {
				t.Errorf("%+v", e)
			}
			bob.next("closed")
		})
	}
}
