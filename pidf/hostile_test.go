package pidf

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// utf16Of is a text in UTF-16, its byte order mark before it where there is one.
func utf16Of(text string, big bool, mark bool) string {
	var b strings.Builder
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b.Write([]byte{byte(u >> 8), byte(u)})
		} else {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
	}
	return b.String()
}

// Documents that are meant to do harm are refused with a reason, at once: what is too
// large before it is looked at.
func TestHostile(t *testing.T) {
	var lol strings.Builder
	lol.WriteString(`<!DOCTYPE presence [<!ENTITY l0 "ha">`)
	for _, n := range "123456789" {
		lol.WriteString(`<!ENTITY l` + string(n) + ` "` + strings.Repeat("&l"+string(n-1)+";", 10) + `">`)
	}
	lol.WriteString("]>" + head + "<note>&l9;</note>" + tail)
	body := head[strings.Index(head, "\n")+1:] + tuple + tail
	utf16Body := `<?xml version="1.0" encoding="UTF-16"?>` + body
	for name, c := range map[string]struct{ doc, says string }{
		"entities":                   {lol.String(), "document type"},
		"external entity":            {`<!DOCTYPE presence [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + body, "document type"},
		"external subset":            {`<!DOCTYPE presence SYSTEM "http://127.0.0.1:1/x.dtd">` + body, "document type"},
		"parameter entity":           {`<!DOCTYPE presence [<!ENTITY % x SYSTEM "file:///dev/zero"> %x;]>` + body, "document type"},
		"entity of nobody":           {head + "<note>&x;</note>" + tail, "&x;"},
		"depth 10,000":               {head + strings.Repeat("<x>", 10_000), "nested deeper"},
		"depth 10,000, closed":       {head + strings.Repeat("<x>", 10_000) + strings.Repeat("</x>", 10_000) + tail, "bytes"},
		"10 MB of text":              {head + "<note>" + strings.Repeat("x", 10<<20) + "</note>" + tail, "bytes"},
		"10 MB of elements":          {head + strings.Repeat("<x/>", 10<<18) + tail, "bytes"},
		"10 MB of one attribute":     {head + `<x a="` + strings.Repeat("x", 10<<20) + `"/>` + tail, "bytes"},
		"10 MB that are no XML":      {strings.Repeat("\x00", 10<<20), "bytes"},
		"a tag without end":          {head + "<" + strings.Repeat("x", 60_000), "EOF"},
		"a comment without end":      {head + "<!--" + strings.Repeat("-", 60_000), "comment"},
		"many elements":              {head + strings.Repeat("<x/>", 10_000) + tail, "elements"},
		"many attributes":            {head + "<x" + strings.Repeat(` a=""`, 10_000) + "/>" + tail, "attribute"},
		"many prefixes":              {head + "<x" + strings.Repeat(` xmlns:a="u"`, 4_000) + "/>" + tail, "attribute"},
		"same attribute":             {head + `<x a="" a=""/>` + tail, "twice"},
		"second root":                {head + tail + "<x/>", "second root"},
		"bytes behind":               {head + tail + "<", "EOF"},
		"NUL behind":                 {head + tail + "\x00\x00", "U+0000"},
		"undeclared prefix":          {head + "<q:x/>" + tail, "without a declaration"},
		"UTF-16, little, mark":       {utf16Of(utf16Body, false, true), "UTF-8"},
		"UTF-16, big, mark":          {utf16Of(utf16Body, true, true), "UTF-8"},
		"UTF-16, little":             {utf16Of(utf16Body, false, false), "U+0000"},
		"UTF-16, big":                {utf16Of(utf16Body, true, false), "U+0000"},
		"UTF-16 in name only":        {utf16Body, "UTF-16"},
		"UTF-32":                     {"\xff\xfe\x00\x00<\x00\x00\x00", "UTF-8"},
		"UTF-7":                      {`<?xml version="1.0" encoding="UTF-7"?>` + body, "UTF-7"},
		"EBCDIC":                     {"\x4c\x6f\xa7\x94\x93", "UTF-8"},
		"Latin-1":                    {`<?xml version="1.0" encoding="ISO-8859-1"?>` + strings.Replace(body, "<tuple", "<note>\xe9</note><tuple", 1), "UTF-8"},
		"Latin-1 in name only":       {`<?xml version="1.0" encoding="ISO-8859-1"?>` + body, "ISO-8859-1"},
		"not UTF-8":                  {head + "<note>\xff</note>" + tail, "UTF-8"},
		"cut off within a character": {head + "<note>\xe2\x82</note>" + tail, "UTF-8"},
		"overlong slash":             {head + "<note>\xc0\xaf</note>" + tail, "UTF-8"},
		"overlong, three bytes":      {head + "<note>\xe0\x80\xaf</note>" + tail, "UTF-8"},
		"overlong bracket":           {head + "\xc0\xbcnote/>" + tail, "UTF-8"},
		"a surrogate":                {head + "<note>\xed\xa0\x80</note>" + tail, "UTF-8"},
		"beyond Unicode":             {head + "<note>\xf4\x90\x80\x80</note>" + tail, "UTF-8"},
		"a reference to NUL":         {head + "<note>&#0;</note>" + tail, "U+0000"},
		"a reference beyond Unicode": {head + "<note>&#x110000;</note>" + tail, "&#x110000;"},
	} {
		var took time.Duration
		var err error
		doc := []byte(c.doc)
		for range 5 { // the best of them: the machine may be busy with something else
			begun := time.Now()
			_, err = Parse(doc, Limits{})
			if d := time.Since(begun); took == 0 || d < took {
				took = d
			}
		}
		refusal, ok := errors.AsType[*ParseError](err)
		if !ok || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 400 {
			t.Errorf("%s: %.300v, want %s", name, err, c.says)
		} else if size := len(c.doc) > 64<<10; size != errors.Is(refusal, ErrTooLarge) && c.says == "bytes" {
			t.Errorf("%s: refused by size: %t", name, size)
		}
		if took > 100*time.Millisecond {
			t.Errorf("%s: refused after %s", name, took)
		}
	}
}
