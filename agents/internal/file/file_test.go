package file

import (
	"crypto/sha1"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// RFC 5547 section 6, figure 2.
var rfcAttributes = []Attribute{
	{"sendonly", ""},
	{"accept-types", "message/cpim"},
	{"file-selector", `name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E`},
	{"file-transfer-id", "vBnG916bdberum2fFEABR1FR3ExZMUrd"},
	{"file-disposition", "attachment"},
	{"file-date", `creation:"Mon, 15 May 2006 15:01:31 +0300"`},
	{"file-icon", "cid:id2@alicepc.example.com"},
	{"file-range", "1-32349"},
}

func TestTheRFCsExample(t *testing.T) {
	d, err := Parse(rfcAttributes)
	if err != nil {
		t.Fatal(err)
	}
	sum := []byte{0x72, 0x24, 0x5f, 0xe8, 0x65, 0x3d, 0xda, 0xf3, 0x71, 0x36, 0x2f, 0x86, 0xd4, 0x71, 0x91, 0x3e, 0xe4, 0xa2, 0xce, 0x2e}
	want := &Description{
		Name: "My cool picture.jpg", Type: "image/jpeg", Size: 32349, Hashes: []Hash{{"sha-1", sum}}, ID: "vBnG916bdberum2fFEABR1FR3ExZMUrd",
		Disposition: "attachment", Created: d.Created, Range: "1-32349",
	}
	if diff := cmp.Diff(want, d); diff != "" || !d.Created.Equal(time.Date(2006, 5, 15, 12, 1, 31, 0, time.UTC)) || !d.Whole() {
		t.Errorf("%v %s", d.Created, diff)
	}
	var written []Attribute
	for _, a := range rfcAttributes {
		if strings.HasPrefix(a.Key, "file-") && a.Key != "file-icon" {
			written = append(written, a)
		}
	}
	if diff := cmp.Diff(written, d.Attributes()); diff != "" {
		t.Error(diff)
	}
	// Section 8.3.1: what an answer has, and what it must not have.
	answer := d.Answer().Attributes()
	if len(answer) != 3 || answer[0] != rfcAttributes[2] || answer[1] != rfcAttributes[3] || answer[2].Key != "file-range" {
		t.Errorf("answer %+v", answer)
	}
}

func TestWhatIsNoDescription(t *testing.T) {
	id := Attribute{"file-transfer-id", "abcd"}
	for value, id := range map[string]Attribute{
		`name:x`: id, `name:"x`: id, `name:""`: id, `size:-1`: id, `size:x`: id, `size:99999999999999999999`: id, `type:text`: id, `type:/x`: id,
		`hash:sha-1:00`: id, `hash:sha-1:`: id, `hash:`: id, `hash:other:0`: id, `hash:other:0001`: id, `words`: id,
		`size:1`: {"file-transfer-id", ""}, `size:2`: {"file-transfer-id", "a b"},
		strings.Repeat("x:y ", 2000): id,
	} {
		if d, err := Parse([]Attribute{{"file-selector", value}, id}); err == nil {
			t.Errorf("%.40q read as %+v", value, d)
		}
	}
	for _, none := range [][]Attribute{nil, {{"file-selector", ""}}, {{"path", "x"}}} {
		if d, err := Parse(none); d != nil || err != nil {
			t.Errorf("%v: %v, %v", none, d, err)
		}
	}
}

func TestDescriptionsBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Description{
			Name: rapid.StringMatching(`[^\x00]{1,20}`).Draw(t, "name"), Type: "a/b", Size: rapid.Int64Range(Unknown, 1<<40).Draw(t, "size"),
			ID: rapid.StringMatching(`[A-Za-z0-9]{4,32}`).Draw(t, "id"), Hashes: []Hash{{"sha-1", rapid.SliceOfN(rapid.Byte(), sha1.Size, sha1.Size).Draw(t, "hash")}},
		}
		got, err := Parse(d.Attributes())
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Fatalf("%+v, %v, want %+v", got, err, d)
		}
	})
}

func TestSafeNames(t *testing.T) {
	for name, want := range map[string]string{
		"notes.txt": "notes.txt", "My cool picture.jpg": "My cool picture.jpg", "Übersicht – März.pdf": "Übersicht – März.pdf",
		"/etc/passwd": "passwd", "../../x": "x", `C:\windows\x.exe`: "x.exe", "..": "file", ".": "file", "": "file", "a/": "file", "/": "file",
		".bashrc": "_bashrc", "a\x00b\r\n\x1b[31mc": "ab[31mc", "invoice\u202efdp.exe": "invoicefdp.exe", "x\xffy": "x_y", "a:b*c?": "a_b_c_",
		"x.txt. .": "x.txt", "-rf": "_rf", "con": "_con", "Nul.tar.gz": "_Nul.tar.gz", "COM1 .txt": "_COM1 .txt", "lpt².x": "_lpt².x",
		"common.txt": "common.txt", "COM10": "COM10", "console": "console", "  x ": "x", "\u2028": "file",
		strings.Repeat("ä", 300) + ".jpeg": strings.Repeat("ä", 97) + ".jpeg",
	} {
		if got := SafeName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if a, b := Numbered("x.tar", 1), Numbered("x.tar", 2); a != "x.tar" || b != "x (2).tar" {
		t.Error(a, b)
	}
}

func TestTheStrongestHashDecides(t *testing.T) {
	hashes, size, err := Sum(strings.NewReader("abc"))
	if err != nil || size != 3 || len(hashes) != 2 || hashes[0].String() != "sha-1:A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D" {
		t.Fatalf("%v %d %v", hashes, size, err)
	}
	d := &Description{Hashes: append([]Hash{{"blake3", []byte{1}}}, hashes...)}
	for written, want := range map[string]bool{"abc": true, "abd": false, "": false} {
		c := d.NewChecker()
		_, _ = c.Write([]byte(written))
		if c.Matches() != want || !strings.HasPrefix(c.String(), "sha-256:BA:78:16:BF") {
			t.Errorf("%q: %t, %s", written, c.Matches(), c)
		}
	}
	if (&Description{Hashes: d.Hashes[:1]}).NewChecker() != nil {
		t.Error("a hash that is not known is checked")
	}
}

func FuzzDescription(f *testing.F) {
	f.Add(rfcAttributes[2].Value, "abcd", rfcAttributes[5].Value)
	f.Add(`name:"%2F%" size:0`, "abcd", `read:"x`)
	f.Fuzz(func(t *testing.T, selector, id, date string) {
		d, err := Parse([]Attribute{{"file-selector", selector}, {"file-transfer-id", id}, {"file-date", date}})
		if err != nil || d == nil {
			return
		}
		again, err := Parse(d.Attributes())
		if err != nil && d.Name != "" {
			t.Fatalf("%+v is written as %v: %v", d, d.Attributes(), err)
		}
		if name := SafeName(d.Name); name == "" || strings.ContainsAny(name, "/\\\x00\r\n") || name[0] == '.' || len(name) > 255 {
			t.Fatalf("%q is made %q", d.Name, name)
		}
		if again != nil && (again.Name != d.Name || again.Size != d.Size) {
			t.Fatalf("%+v\n%+v", d, again)
		}
	})
}
