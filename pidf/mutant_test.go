package pidf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// What Parse takes is XML: of thousands of damaged documents it takes none
// that xmllint does not. The draft's own spelling is left out, since it is not
// XML, and so are white space before the declaration, which does no harm, and
// namespace names that are no URI, which Namespaces in XML only deprecates.
func TestAcceptedIsWellFormed(t *testing.T) {
	var seeds [][]byte
	for _, pattern := range []string{"rfc/*.xml", "golden/*.standard.xml"} {
		files, _ := filepath.Glob(filepath.Join("testdata", pattern))
		for _, file := range files {
			seeds = append(seeds, readFile(t, file))
		}
	}
	r := rand.New(rand.NewPCG(1, 2)) // the same each time: a find belongs into TestRefusals
	accepted := map[string][]byte{}
	for i := range 6000 {
		data := damaged(r, seeds[r.IntN(len(seeds))])
		repaired := !bytes.Equal(repairDeclaration(data), data)
		if _, err := Parse(data, Limits{}); err == nil && !repaired && !bytes.Contains(data, []byte("sc:")) {
			accepted[fmt.Sprint(i)] = bytes.TrimSpace(data)
		}
	}
	if len(accepted) < 100 {
		t.Fatalf("only %d accepted", len(accepted))
	}
	for line := range strings.Lines(xmllint(t, accepted)) {
		if strings.Contains(line, " error : ") && !strings.Contains(line, "is not a valid URI") {
			t.Error(line)
		}
	}
}

// damaged changes a document in one to three places.
func damaged(r *rand.Rand, data []byte) []byte {
	bits := []string{"<", ">", "&", `"`, "'", "]]>", "<!--", "-->", "<![CDATA[", "?>", "<?", " ", "/", ":", "=",
		"&#0;", "&amp;", "xmlns", "--", "\x01", "é", "<a>", "</a>", "<a/>", `x="1"`, "-", "0", "&#x110000;", "&#xFFFE;", "\uFFFE", "<?xml?>"}
	data = bytes.Clone(data)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(data))
		until := min(len(data), at+1+r.IntN(20))
		switch r.IntN(3) {
		case 0:
			data = bytes.Join([][]byte{data[:at], data[at:]}, []byte(bits[r.IntN(len(bits))]))
		case 1:
			data = bytes.Join([][]byte{data[:at], data[min(until, at+4):]}, nil)
		case 2:
			to := r.IntN(len(data))
			data = bytes.Join([][]byte{data[:to], data[to:]}, data[at:until])
		}
	}
	return data
}
