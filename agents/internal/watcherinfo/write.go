package watcherinfo

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// Bytes writes the document.
func (d Document) Bytes() []byte {
	var b bytes.Buffer
	state := "partial"
	if d.Full {
		state = "full"
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<watcherinfo")
	put(&b, "xmlns", namespace)
	put(&b, "version", strconv.FormatUint(uint64(d.Version), 10))
	put(&b, "state", state)
	b.WriteByte('>')
	for _, l := range d.Lists {
		b.WriteString("\n  <watcher-list")
		put(&b, "resource", l.Resource)
		put(&b, "package", l.Package)
		b.WriteByte('>')
		for _, w := range l.Watchers {
			w.write(&b)
		}
		b.WriteString("\n  </watcher-list>")
	}
	b.WriteString("\n</watcherinfo>\n")
	return b.Bytes()
}

func (w Watcher) write(b *bytes.Buffer) {
	b.WriteString("\n    <watcher")
	put(b, "id", w.ID)
	put(b, "status", string(w.Status))
	put(b, "event", string(w.Event))
	if w.Name != "" {
		put(b, "display-name", w.Name)
	}
	if w.Lang != "" {
		put(b, "xml:lang", w.Lang)
	}
	if w.Expiration != nil {
		put(b, "expiration", strconv.FormatUint(*w.Expiration, 10))
	}
	if w.Subscribed != nil {
		put(b, "duration-subscribed", strconv.FormatUint(*w.Subscribed, 10))
	}
	b.WriteByte('>')
	_ = xml.EscapeText(b, []byte(w.URI)) // a buffer does not fail
	b.WriteString("</watcher>")
}

// Size is about how many bytes the watcher takes in a document.
func (w Watcher) Size() int {
	var b bytes.Buffer
	w.write(&b)
	return b.Len()
}

func put(b *bytes.Buffer, name, value string) {
	b.WriteString(" " + name + `="`)
	_ = xml.EscapeText(b, []byte(value))
	b.WriteByte('"')
}
