package msrp

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"presfed/agents/internal/wire"
	"presfed/agents/programs"
	"presfed/agents/trace"
)

const whatTsharkSays = "what MSRP writes against tshark"

// captured runs what speaks at an address, and gives what the kernel saw of it when
// all is there.
func captured(t *testing.T, at netip.Addr, speak func(), all func(file string) bool) string {
	t.Helper()
	missing := ""
	for _, tool := range []string{"dumpcap", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = tool + " is not installed"
		}
	}
	if missing == "" && os.Geteuid() != 0 {
		missing = "only root may capture"
	}
	if missing != "" {
		programs.Skip(t, whatTsharkSays, missing)
	}
	file := filepath.Join(t.TempDir(), "capture")
	dump := exec.Command("dumpcap", "-q", "-i", "lo", "-s", "0", "-B", "64", "-f", "host "+at.String(), "-w", file)
	said, err := dump.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dump.Start(); err != nil {
		t.Fatal(err)
	}
	// It names its file when it captures.
	var talk bytes.Buffer
	for b := make([]byte, 512); !strings.Contains(talk.String(), "File:"); {
		n, err := said.Read(b)
		talk.Write(b[:n])
		if err != nil {
			_ = dump.Wait()
			programs.Skip(t, whatTsharkSays, "dumpcap says "+talk.String())
		}
	}
	speak()
	// The kernel hands packets over in blocks.
	for end := time.Now().Add(patience); !all(file) && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	_ = dump.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(said)
	_ = dump.Wait()
	if !strings.Contains(string(rest), "/0 (pcap:0/") {
		programs.Skip(t, whatTsharkSays, "packets were dropped: "+string(rest))
	}
	return file
}

// tshark finds in a capture every frame that was recorded, with nothing wrong
// about any: chunks, interrupted ones, given up ones, reports, refusals, files.
func TestTsharkReadsWhatIsWritten(t *testing.T) {
	at := netip.AddrFrom4([4]byte{127, 91, byte(os.Getpid() >> 8), byte(os.Getpid())})
	r := newRecords()
	var port uint16
	file := captured(t, at, func() {
		here := Config{Listen: netip.AddrPortFrom(at, 0), Tap: r.tap}
		a, err := Listen(here)
		if err != nil {
			t.Fatal(err)
		}
		there := here
		there.Limits.Message = 150_000
		b := startEndpoint(t, there)
		port = b.Addr().Port()
		ran := make(chan error, 1)
		go func() { ran <- a.Run(context.Background()) }()
		inbox := newInbox()
		config := inbox.config()
		config.AcceptTypes = []string{"text/*", "application/octet-stream"}
		sa, sb := pair(t, a, b, SessionConfig{OnMessage: func(Message) {}}, config)
		send := func(s *Session, typ string, body io.Reader, o SendOptions) error {
			_, err := s.Send(testContext(t), typ, body, o)
			return err
		}
		// No line of it begins with seven dashes, where tshark would see an end-line.
		text := strings.Repeat("Grüße aus Zürich €\r\n------\r\n", 3000)
		many := make(chan error, 3)
		for i := range 2 { // two at once: their chunks are interrupted
			go func() {
				many <- send(sa, "text/plain;charset=utf-8", strings.NewReader(text), SendOptions{SuccessReport: i == 0})
			}()
		}
		go func() { many <- send(sb, "text/plain", strings.NewReader("and back"), SendOptions{}) }()
		for range 3 {
			if err := await(t, many); err != nil {
				t.Error(err)
			}
		}
		broken := io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrNoProgress))
		if err := send(sa, "text/plain", broken, SendOptions{}); !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
		if err := send(sa, "text/plain", strings.NewReader(""), SendOptions{FailureReport: FailureNo}); err != nil {
			t.Error(err)
		}
		var status *StatusError
		if err := send(sa, "image/png", bytes.NewReader(nil), SendOptions{}); !errors.Is(err, ErrType) {
			t.Error(err)
		}
		if err := send(sa, "application/octet-stream", io.MultiReader(strings.NewReader(strings.Repeat("0123456789", 40_000))), SendOptions{Disposition: `attachment; filename="x.bin"`}); !errors.As(err, &status) {
			t.Error(err)
		}
		a.Close()
		<-ran
	}, func(file string) bool {
		seen, want := 0, 0
		for _, way := range follow(t, file) {
			seen += len(way.bytes)
		}
		for _, x := range r.all() {
			if x.Direction == wire.Out {
				want += len(x.Raw)
			}
		}
		return seen == want
	})
	written := map[string][]byte{} // by direction
	var frames []wire.Record
	kinds := map[string]bool{}
	for _, x := range r.all() {
		if x.Direction == wire.Out {
			frames = append(frames, x)
			key := x.Src.String()
			written[key] = append(written[key], x.Raw...)
			f, body, flag, err := Parse(x.Raw)
			if err != nil {
				t.Fatal(err)
			}
			kinds[fmt.Sprint(f.Method, f.Status, " ", string(flag))] = true
			kinds["cut"] = kinds["cut"] || flag == More && len(body) < chunkSize
		}
	}
	for _, k := range []string{"SEND0 $", "SEND0 +", "SEND0 #", "200 $", "413 $", "REPORT0 $", "cut"} {
		if !kinds[k] {
			t.Errorf("nothing of the kind %s is in the test: %v", k, kinds)
		}
	}
	// What was recorded is what the kernel saw.
	for _, way := range follow(t, file) {
		if want := written[way.from]; !bytes.Equal(way.bytes, want) {
			t.Errorf("%s wrote %d bytes, %d are on the wire", way.from, len(want), len(way.bytes))
		}
		delete(written, way.from)
	}
	if len(written) > 0 {
		t.Error("a connection is not in the capture")
	}
	// And tshark, which reads no frame that comes in several packets, nor the second
	// one in a packet, reads each by itself.
	lines := strings.Split(strings.TrimSpace(run(t, "tshark", "-n", "-r", packets(t, frames), "-d", fmt.Sprintf("tcp.port==%d,msrp", port),
		"-Y", "msrp && !(_ws.expert.severity > 0x00100000)", // nothing said of it but the capture's own comment
		"-T", "fields", "-E", "occurrence=f", "-e", "msrp.transaction.id", "-e", "msrp.method", "-e", "msrp.status.code", "-e", "msrp.cnt.flg",
		"-e", "msrp.messageid", "-e", "msrp.byte.range", "-e", "_ws.malformed")), "\n")
	if len(lines) != len(frames) {
		t.Fatalf("%d lines on %d frames", len(lines), len(frames))
	}
	for i, x := range frames {
		f, _, flag, _ := Parse(x.Raw)
		status, byteRange := "", ""
		if f.IsResponse() {
			status = fmt.Sprint(f.Status)
		} else {
			byteRange, _ = f.Headers.Get(headerByteRange)
		}
		want := strings.Join([]string{f.Transaction, f.Method, status, string(flag), f.MessageID(), byteRange, ""}, "\t")
		if strings.TrimRight(lines[i], "\t") != strings.TrimRight(want, "\t") {
			t.Errorf("tshark reads %q, want %q", lines[i], want)
		}
	}
	t.Logf("%d frames", len(frames))
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(testContext(t), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

type oneWay struct {
	from  string
	bytes []byte
}

// follow puts together what a capture has of its first connection.
func follow(t *testing.T, file string) []oneWay {
	t.Helper()
	ways := make([]oneWay, 2)
	out, _ := exec.CommandContext(testContext(t), "tshark", "-n", "-r", file, "-q", "-z", "follow,tcp,raw,0").Output() // the file may be growing
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		for i, mark := range []string{"Node 0: ", "Node 1: "} {
			if at, ok := strings.CutPrefix(line, mark); ok {
				ways[i].from = at
			}
		}
		i := 0
		if strings.HasPrefix(line, "\t") {
			i, line = 1, line[1:]
		}
		if b, err := hex.DecodeString(line); err == nil {
			ways[i].bytes = append(ways[i].bytes, b...)
		}
	}
	return ways
}

// packets is a capture in which each frame is a packet.
func packets(t *testing.T, frames []wire.Record) string {
	t.Helper()
	messages := make([]trace.Message, len(frames))
	for i, x := range frames {
		messages[i] = trace.Message{Src: x.Src, Dst: x.Dst, Transport: x.Transport, Protocol: x.Protocol, Time: x.Time, Raw: x.Raw}
	}
	var b bytes.Buffer
	if err := trace.WritePcapng(&b, messages); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "frames.pcapng")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
