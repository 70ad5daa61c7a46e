package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/programs"
)

// A file passes in constant memory at both ends, whatever its size, is checked and
// on the disk when it is answered. PRESFED_FILE=1073741824 makes it 1 GiB.
func TestFileInConstantMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		programs.Skip(t, "the memory that a file takes", "it is read from /proc")
	}
	size := int64(50_000_000)
	if s := os.Getenv("PRESFED_FILE"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatalf("PRESFED_FILE: %v", err)
		}
	}
	path, want := randomFile(t, size)
	binary, folder := programs.Ours(t), t.TempDir()
	bob := startAgent(t, binary, "--accept-files", folder)
	alice := exec.CommandContext(t.Context(), binary, "send-im", "bob", "--user", "alice@example.com", "--server", bob.at, "--file", path, "--json")
	output, err := alice.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun, sender := time.Now(), 0
	if err := alice.Start(); err != nil {
		t.Fatal(err)
	}
	var established, sent time.Time
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var e client.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		switch e.Type {
		case "session":
			established = e.Time
		case "sent":
			sent = e.Time
		case "progress", "closed":
			sender = max(sender, peak(t, alice.Process.Pid))
		}
	}
	if err := alice.Wait(); err != nil {
		t.Fatalf("send-im: %v", err)
	}
	e := bob.until("file")
	receiver := peak(t, bob.Process.Pid)
	bob.quit()
	if got := sumOf(t, filepath.Join(folder, filepath.Base(path))); e.State != "complete" || e.Size != size || got != want || strings.ReplaceAll(strings.ToLower(e.Hash), ":", "") != "sha-256"+want {
		t.Errorf("%+v, kept with %s, want %s", e, got, want)
	}
	passed := sent.Sub(established)
	fmt.Printf("| size | hashed before the offer | sent, checked and on the disk | MB/s | `presfed send-im --file`, memory | `presfed agent --accept-files`, memory |\n|---|---|---|---|---|---|\n"+
		"| %d MB | %.1f s | %.1f s | %.0f | %d MiB | %d MiB |\n", size/1e6, established.Sub(begun).Seconds(), passed.Seconds(), float64(size)/1e6/passed.Seconds(), sender>>10, receiver>>10)
	for name, resident := range map[string]int{"sender": sender, "receiver": receiver} {
		if resident == 0 || resident > mostResident {
			t.Errorf("%s of %d bytes: %d KiB resident, want less than %d", name, size, resident, mostResident)
		}
	}
}

func randomFile(t *testing.T, size int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "film.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(rand.NewChaCha8([32]byte{5}), size)); err != nil {
		t.Fatal(err)
	}
	return path, hex.EncodeToString(h.Sum(nil))
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
