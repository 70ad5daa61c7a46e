package watcherinfo

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/strictxml"
)

// Limits suit what one SIP message holds.
var Limits = strictxml.Limits{Bytes: 256 << 10, Depth: 8, Elements: 8192, Attributes: 16}

// Parse reads a document of a stranger. Elements and attributes of other
// namespaces are passed over (RFC 3858 section 3). The error is a
// *message.ParseError: 400, or 413 above the size.
func Parse(data []byte) (Document, error) {
	var d Document
	root, err := strictxml.Parse(data, Limits)
	switch {
	case len(data) > Limits.Bytes:
		return d, &message.ParseError{Status: 413, Where: ContentType, What: err.Error()}
	case err != nil:
		return d, malformed(err.Error())
	case !root.Is(namespace, "watcherinfo"):
		return d, refuse(root, "want watcherinfo of "+namespace)
	}
	version, err := strconv.ParseUint(attr(root, "version"), 10, 32)
	if err != nil {
		return d, refuse(root, "version: want a number of 32 bits")
	}
	d.Version = uint32(version)
	switch attr(root, "state") {
	case "full":
		d.Full = true
	case "partial":
	default:
		return d, refuse(root, "state: want full or partial")
	}
	ids := map[string]bool{}
	err = eachOf(root, "watcher-list", func(n *strictxml.Element) error {
		l := List{Resource: attr(n, "resource"), Package: attr(n, "package")}
		if l.Resource == "" || l.Package == "" {
			return refuse(n, "want resource and package")
		}
		err := eachOf(n, "watcher", func(n *strictxml.Element) error {
			w, err := watcher(n)
			if err == nil && ids[w.ID] {
				err = refuse(n, "an id that stood before")
			}
			ids[w.ID] = true
			l.Watchers = append(l.Watchers, w)
			return err
		})
		d.Lists = append(d.Lists, l)
		return err
	})
	return d, err
}

func watcher(n *strictxml.Element) (Watcher, error) {
	w := Watcher{
		ID: attr(n, "id"), URI: strings.TrimSpace(n.Text), Status: Status(attr(n, "status")), Event: Event(attr(n, "event")),
	}
	w.Name = value(n, "", "display-name")
	w.Lang = value(n, "http://www.w3.org/XML/1998/namespace", "lang")
	for _, child := range n.Children {
		if child.Space == namespace {
			return w, refuse(child, "want a URI alone")
		}
	}
	switch {
	case !token(w.ID):
		return w, refuse(n, "id: want a token")
	case w.URI == "":
		return w, refuse(n, "no URI")
	case !w.Status.valid():
		return w, refuse(n, "status: want pending, active, waiting or terminated")
	case !w.Event.valid():
		return w, refuse(n, "event: none of RFC 3857")
	}
	var err error
	if w.Expiration, err = seconds(n, "expiration"); err != nil {
		return w, err
	}
	w.Subscribed, err = seconds(n, "duration-subscribed")
	return w, err
}

func seconds(n *strictxml.Element, local string) (*uint64, error) {
	if !slices.ContainsFunc(n.Attrs, func(a xml.Attr) bool { return a.Name == xml.Name{Local: local} }) {
		return nil, nil
	}
	v, err := strconv.ParseUint(attr(n, local), 10, 64)
	if err != nil {
		return nil, refuse(n, local+": want whole seconds")
	}
	return &v, nil
}

// eachOf takes the children called so; another of our namespace is a mistake.
func eachOf(n *strictxml.Element, local string, take func(*strictxml.Element) error) error {
	for _, child := range n.Children {
		if child.Space != namespace {
			continue
		}
		if !child.Is(namespace, local) {
			return refuse(child, "want "+local)
		}
		if err := take(child); err != nil {
			return err
		}
	}
	return nil
}

// attr is an attribute without the white space around it, as the schema's types
// have it; "" where there is none.
func attr(n *strictxml.Element, local string) string { return strings.TrimSpace(value(n, "", local)) }

func value(n *strictxml.Element, space, local string) string {
	for _, a := range n.Attrs {
		if a.Name == (xml.Name{Space: space, Local: local}) {
			return a.Value
		}
	}
	return ""
}

func refuse(n *strictxml.Element, what string) error {
	return malformed(n.Local + ": " + what)
}

func malformed(what string) error {
	return &message.ParseError{Status: 400, Where: ContentType, What: what}
}

// token is RFC 3261's.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
