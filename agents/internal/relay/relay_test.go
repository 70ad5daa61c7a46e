package relay

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a relay reads it gives on byte by byte, message by message.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("NOTIFY sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabcSIP/2.0 200 OK\r\nl: 0\r\n\r\n\r\n\r\n"))
	f.Add([]byte("X\r\nContent-Length: -1\r\n\r\n"))
	f.Add([]byte("X\r\nContent-Length: 99\r\n\r\nabc"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(stream), maxHead)
		var given []byte
		for {
			raw, err := readMessage(in)
			if err != nil {
				break
			}
			if len(raw) == 0 {
				t.Fatal("an empty message")
			}
			given = append(given, raw...)
		}
		if !bytes.HasPrefix(stream, given) {
			t.Errorf("read %q of %q", given, stream)
		}
	})
}

func TestReadMessageIsBounded(t *testing.T) {
	for name, stream := range map[string]string{
		"head": strings.Repeat("X: y\r\n", maxHead),
		"line": strings.Repeat("x", 2*maxHead),
		"body": "X\r\nContent-Length: 1000000000\r\n\r\n",
		"sign": "X\r\nContent-Length: -1\r\n\r\n",
	} {
		if raw, err := readMessage(bufio.NewReaderSize(strings.NewReader(stream), maxHead)); err == nil {
			t.Errorf("%s: read %d bytes", name, len(raw))
		}
	}
}

// A ping stays in one piece: with a message between its lines nobody answers it.
func TestAPingIsOneMessage(t *testing.T) {
	options := "OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nok"
	in := bufio.NewReader(strings.NewReader("\r\n\r\n" + options + "\r\n" + options))
	for _, want := range []string{"\r\n\r\n", options, "\r\n", options} {
		if got, err := readMessage(in); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}
