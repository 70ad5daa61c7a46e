package file

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unknown is a size that is not said.
const Unknown int64 = -1

// Description is what a media line says of its file. Zero values are not said.
type Description struct {
	Name string // as the sender calls it: see SafeName
	Type string // media type, with parameters
	Size int64  // bytes; Unknown: not said
	// Hashes of the whole file, sha-1 among them if there are any.
	Hashes      []Hash
	ID          string // file-transfer-id: another one is another transfer
	Disposition string // "attachment", "render"
	Created     time.Time
	Modified    time.Time
	Range       string // file-range; empty: the whole file
}

// Attribute is one "a=" line of a media description.
type Attribute struct{ Key, Value string }

// ErrDescription: file attributes that say nothing usable.
var ErrDescription = errors.New("file: invalid description")

// maxValue bounds what is read of an attribute, in bytes.
const maxValue = 4096

// Parse finds a file among attributes; nil: they are of no file, or of one that
// answers a query for capabilities (RFC 5547 section 8.5).
func Parse(attributes []Attribute) (*Description, error) {
	d := &Description{Size: Unknown}
	selected := false
	for _, a := range attributes {
		if len(a.Value) > maxValue {
			if strings.HasPrefix(a.Key, "file-") {
				return nil, fmt.Errorf("%w: a=%s of %d bytes", ErrDescription, a.Key, len(a.Value))
			}
			continue
		}
		switch strings.ToLower(a.Key) {
		case "file-selector":
			selected = strings.TrimSpace(a.Value) != ""
			for _, s := range fields(a.Value) {
				if err := d.selector(s); err != nil {
					return nil, err
				}
			}
		case "file-transfer-id":
			d.ID = strings.TrimSpace(a.Value)
		case "file-disposition":
			d.Disposition = strings.TrimSpace(a.Value)
		case "file-range":
			d.Range = strings.TrimSpace(a.Value)
		case "file-date":
			for _, s := range fields(a.Value) {
				name, value, _ := strings.Cut(s, ":")
				at, err := time.Parse(time.RFC1123Z, strings.Trim(value, `"`))
				if err != nil {
					continue // a date is for show
				}
				switch name {
				case "creation":
					d.Created = at
				case "modification":
					d.Modified = at
				}
			}
		}
	}
	switch {
	case !selected:
		return nil, nil
	case !isToken(d.ID):
		return nil, fmt.Errorf("%w: file-transfer-id %.60q", ErrDescription, d.ID)
	}
	return d, nil
}

func (d *Description) selector(s string) error {
	name, value, ok := strings.Cut(s, ":")
	bad := func() error { return fmt.Errorf("%w: file-selector with %.60q", ErrDescription, s) }
	switch name {
	case "name":
		if len(value) < 3 || value[0] != '"' || value[len(value)-1] != '"' {
			return bad()
		}
		d.Name = decode(value[1 : len(value)-1])
	case "type":
		d.Type = value
		if major, minor, ok := strings.Cut(essence(value), "/"); !ok || !isToken(major) || !isToken(minor) {
			return bad()
		}
	case "size":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil {
			return bad()
		}
		d.Size = int64(n)
	case "hash":
		h, err := parseHash(value)
		if err != nil {
			return bad()
		}
		d.Hashes = append(d.Hashes, h)
	default:
		if !ok {
			return bad()
		}
	}
	return nil
}

// Whole: the description is of a whole file, not of a part of it.
func (d *Description) Whole() bool {
	return d.Range == "" || d.Range == "1-*" || d.Size != Unknown && d.Range == fmt.Sprintf("1-%d", d.Size)
}

// Answer is what an answerer that accepts says (RFC 5547 section 8.3.1).
func (d *Description) Answer() *Description {
	return &Description{Name: d.Name, Type: d.Type, Size: d.Size, Hashes: d.Hashes, ID: d.ID, Range: d.Range}
}

// Attributes writes the description.
func (d *Description) Attributes() []Attribute {
	var selectors []string
	if d.Name != "" {
		selectors = append(selectors, `name:"`+encode(d.Name)+`"`)
	}
	if d.Type != "" {
		selectors = append(selectors, "type:"+d.Type)
	}
	if d.Size != Unknown {
		selectors = append(selectors, "size:"+strconv.FormatInt(d.Size, 10))
	}
	for _, h := range d.Hashes {
		selectors = append(selectors, "hash:"+h.String())
	}
	all := []Attribute{{"file-selector", strings.Join(selectors, " ")}, {"file-transfer-id", d.ID}}
	if d.Disposition != "" {
		all = append(all, Attribute{"file-disposition", d.Disposition})
	}
	var dates []string
	for _, date := range []struct {
		name string
		at   time.Time
	}{{"creation", d.Created}, {"modification", d.Modified}} {
		if !date.at.IsZero() {
			dates = append(dates, date.name+`:"`+date.at.Format(time.RFC1123Z)+`"`)
		}
	}
	if dates != nil {
		all = append(all, Attribute{"file-date", strings.Join(dates, " ")})
	}
	if d.Range != "" {
		all = append(all, Attribute{"file-range", d.Range})
	}
	return all
}

// fields are parted by blanks that are not in quotes.
func fields(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

// essence is a media type without parameters.
func essence(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return s
}

func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte("!#$%&'*+-.^_`{|}~", c) >= 0) {
			return false
		}
	}
	return true
}
