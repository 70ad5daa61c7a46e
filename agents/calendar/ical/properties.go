package ical

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	goical "github.com/emersion/go-ical"
)

// properties are those of one component that this package looks at, read by
// go-ical, with their lines.
type properties struct {
	props goical.Props
	lines map[string][]int
}

// understood are the names of the properties that are read at all: what is
// wrong with the others is nobody's concern.
var understood = []string{
	"UID", "SEQUENCE", "SUMMARY", "CLASS", "STATUS", "TRANSP",
	"DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE", "EXRULE",
	"TZID", "TZOFFSETFROM", "TZOFFSETTO", "X-WR-TIMEZONE", "METHOD",
}

// wellFormed is the head of a content line. go-ical panics on some that are not
// so, and takes a time that grows with the square of a parameter.
var wellFormed = regexp.MustCompile(`^[A-Za-z0-9-]+(;[A-Za-z0-9-]+=("[^"]*"|[^";:,]*)(,("[^"]*"|[^";:,]*))*)*:`)

// read reads the properties of a part.
func (p *part) read() (properties, *Warning) {
	out := properties{lines: map[string][]int{}}
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\r\n")
	for _, l := range p.lines {
		name := strings.ToUpper(l.text)
		if i := strings.IndexAny(name, ";:"); i >= 0 {
			name = name[:i]
		}
		if !slices.Contains(understood, name) {
			continue
		}
		head := wellFormed.FindString(l.text[:min(len(l.text), maxHead)])
		if head == "" || len(l.text) > maxLine || strings.ContainsRune(l.text, 0) {
			return out, &Warning{Line: l.number, What: fmt.Sprintf("%q is no property: want NAME;PARAMETER=VALUE:VALUE", shorten(l.text))}
		}
		out.lines[name] = append(out.lines[name], l.number)
		text.WriteString(l.text + "\r\n")
	}
	text.WriteString("END:VCALENDAR\r\n")
	cal, err := goical.NewDecoder(strings.NewReader(text.String())).Decode()
	if err != nil {
		return out, &Warning{Line: p.number, What: err.Error()}
	}
	out.props = cal.Props
	return out, nil
}

// all are the properties of a name, each with its line.
func (p properties) all(name string) (out []property) {
	for i := range p.props[name] {
		out = append(out, property{&p.props[name][i], p.lines[name][i]})
	}
	return out
}

// property is one of them.
type property struct {
	*goical.Prop
	line int
}

// get is the first of a name; ok is false where there is none.
func (p properties) get(name string) (property, bool) {
	all := p.all(name)
	if len(all) == 0 {
		return property{}, false
	}
	return all[0], true
}

// word is a value without white space around it, in capitals.
func (p properties) word(name string) string {
	prop, ok := p.get(name)
	if !ok {
		return ""
	}
	return strings.ToUpper(strings.TrimSpace(prop.Value))
}

// text is a value without its escapes; one that is wrongly escaped as it stands.
func (p properties) text(name string) string {
	prop, ok := p.get(name)
	if !ok {
		return ""
	}
	s, err := prop.Text()
	if err != nil {
		s = prop.Value
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
