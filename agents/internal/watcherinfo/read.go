package watcherinfo

import (
	"strconv"

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
	version, err := strconv.ParseUint(root.AttrToken("version"), 10, 32)
	if err != nil {
		return d, refuse(root, "version: want a number of 32 bits")
	}
	d.Version = uint32(version)
	switch root.AttrToken("state") {
	case "full":
		d.Full = true
	case "partial":
	default:
		return d, refuse(root, "state: want full or partial")
	}
	ids := map[string]bool{}
	err = eachOf(root, "watcher-list", func(n *strictxml.Element) error {
		l := List{Resource: n.AttrToken("resource"), Package: n.AttrToken("package")}
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
		ID: n.AttrToken("id"), URI: n.Token(), Status: Status(n.AttrToken("status")), Event: Event(n.AttrToken("event")),
	}
	w.Name, _ = n.Attr("", "display-name")
	w.Lang, _ = n.Attr(strictxml.SpaceXML, "lang")
	for _, child := range n.Children {
		if child.Space == namespace {
			return w, refuse(child, "want a URI alone")
		}
	}
	switch {
	case !message.IsToken(w.ID):
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
	if _, ok := n.Attr("", local); !ok {
		return nil, nil
	}
	v, err := strconv.ParseUint(n.AttrToken(local), 10, 64)
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

func refuse(n *strictxml.Element, what string) error {
	return malformed(n.Local + ": " + what)
}

func malformed(what string) error {
	return &message.ParseError{Status: 400, Where: ContentType, What: what}
}
