package cut_test

import (
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/cut"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLink(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	link, err := cut.New(echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", link.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	hears := func(c net.Conn, want string, within time.Duration) error {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(within))
		got := make([]byte, len(want))
		_, err := io.ReadFull(c, got)
		if err == nil && string(got) != want {
			t.Errorf("heard %q, want %q", got, want)
		}
		return err
	}
	const long, moment = 20 * time.Second, 20 * time.Millisecond
	c := dial()
	io.WriteString(c, "one")
	if err := hears(c, "one", long); err != nil {
		t.Fatal(err)
	}
	link.Set(cut.Silent)
	io.WriteString(c, "two")
	fresh := dial()
	io.WriteString(fresh, "three")
	for _, c := range []net.Conn{c, fresh} {
		if err, ok := hears(c, "x", moment).(net.Error); !ok || !err.Timeout() {
			t.Errorf("a silent link: %v", err)
		}
	}
	link.Set(cut.Whole)
	if err := hears(c, "two", long); err != nil {
		t.Error(err)
	}
	if err := hears(fresh, "three", long); err != nil {
		t.Error(err)
	}
	link.Set(cut.Refused)
	for _, c := range []net.Conn{c, dial()} {
		if err := hears(c, "x", long); err == nil || isTimeout(err) {
			t.Errorf("a link that refuses: %v", err)
		}
	}
	link.Set(cut.Whole)
	c = dial()
	io.WriteString(c, "four")
	if err := hears(c, "four", long); err != nil {
		t.Error(err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
