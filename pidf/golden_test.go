package pidf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// document builds what a flow's expectation describes.
func (e Expect) document(t *testing.T) Document {
	t.Helper()
	f := Facts{Entity: "sip:" + e.Entity + "@example.com", NoPerson: e.Person == nil, PersonID: e.Entity}
	if e.Person != nil {
		f.Note, f.Class = e.Person.Note, e.Person.Class
		f.Status = map[string]Status{
			Available: StatusOpen, Away: StatusAway, Busy: StatusBusy, DoNotDisturb: StatusDND,
		}[e.Person.Activities[0]]
	}
	for _, tuple := range e.Tuples {
		q, err := NewPriority(*tuple.Priority)
		if err != nil {
			t.Fatal(err)
		}
		f.Services = append(f.Services, Service{
			ID: tuple.ID, Contact: tuple.Contact, Priority: q, Capabilities: tuple.Capabilities,
			UserInput: tuple.UserInput, Basic: tuple.Basic,
		})
	}
	return Build(f)
}

func expects(t *testing.T) []Expect {
	t.Helper()
	list, err := ReadExpects(bytes.NewReader(readFile(t, "testdata/documents.json")))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Every document of the flows, in both dialects: as it always was written, read
// back, as expected, and in the standard dialect valid.
func TestFlowDocuments(t *testing.T) {
	valid := map[string][]byte{}
	for _, e := range expects(t) {
		d := e.document(t)
		for _, dialect := range []Dialect{Standard, Draft} {
			name := e.Flow + "-" + strings.Join(e.Messages, "-") + "." + dialect.String()
			t.Run(name, func(t *testing.T) {
				got := Write(d, dialect)
				golden := filepath.Join("testdata", "golden", name+".xml")
				if os.Getenv("UPDATE") != "" {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want := readFile(t, golden); !bytes.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				read := mustParse(t, got)
				if !read.Equal(d) {
					t.Errorf("read back it is another document: %+v", read)
				}
				for _, diff := range e.Check(read) {
					t.Error(diff)
				}
			})
			if dialect == Standard {
				valid[name] = Write(d, dialect)
			}
		}
	}
	validate(t, valid)
}

// The draft's own spelling, errors included, says what the flows expect, and
// written by the RFCs it is valid.
func TestDraftAsDrawn(t *testing.T) {
	valid := map[string][]byte{}
	for _, e := range expects(t) {
		name := e.Flow + "-" + e.Messages[0]
		data, err := os.ReadFile(filepath.Join("testdata", "drawn", name+".xml"))
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, data)
			for _, diff := range e.Check(d) {
				t.Error(diff)
			}
			for _, dialect := range []Dialect{Standard, Draft} {
				if again := mustParse(t, Write(d, dialect)); !again.Equal(d) {
					t.Errorf("%v: read again it is another document:\n%s", dialect, Write(d, dialect))
				}
			}
			valid[name] = Write(d, Standard)
		})
	}
	if len(valid) < 4 {
		t.Errorf("%d documents as drawn", len(valid))
	}
	validate(t, valid)
}
