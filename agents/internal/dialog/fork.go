package dialog

import (
	"maps"
	"slices"

	"presfed/agents/internal/message"
)

// Fork is what one INVITE can bring forth: a dialog for each To tag that
// answers it (RFC 3261 sections 12.1 and 13.2.2.4). One owner, no lock.
type Fork struct {
	invite *message.Request
	byTag  map[string]*Dialog
	rseq   map[string]uint32 // of the last reliable provisional response in order
}

// maxDialogs bounds how many answers to one INVITE are followed.
const maxDialogs = 64

// NewFork waits for the answers to invite.
func NewFork(invite *message.Request) *Fork {
	return &Fork{invite: invite, byTag: map[string]*Dialog{}, rseq: map[string]uint32{}}
}

// Receive takes a response to the INVITE. It gives the dialog that the response
// belongs to, created or confirmed by it; nil where it belongs to none (100, or
// no To tag). A final response other than 2xx ends every early dialog.
func (f *Fork) Receive(res *message.Response) (d *Dialog, created bool, err error) {
	if res.StatusCode >= 300 {
		maps.DeleteFunc(f.byTag, func(_ string, d *Dialog) bool { return !d.Confirmed })
		return nil, false, nil
	}
	to, err := message.To(res)
	if err != nil || res.StatusCode == 100 || to.Tag() == "" && res.StatusCode < 200 {
		return nil, false, err
	}
	old := f.byTag[to.Tag()]
	switch {
	case old == nil && len(f.byTag) >= maxDialogs:
		return nil, false, &message.ParseError{Status: 500, Where: "To", What: "too many dialogs for one INVITE"}
	case old == nil:
		if d, err = UAC(f.invite, res); err == nil {
			f.byTag[to.Tag()] = d
		}
		return d, err == nil, err
	case !old.Confirmed && res.StatusCode >= 200:
		// Section 13.2.2.4: the 2xx decides route set and target anew; what was
		// counted in the early dialog goes on.
		confirmed, err := UAC(f.invite, res)
		if err != nil {
			return nil, false, err
		}
		old.Target, old.Routes, old.Confirmed = confirmed.Target, confirmed.Routes, true
	}
	return old, false, nil
}

// Early is the dialogs that no 2xx has confirmed, in the order of their tags.
func (f *Fork) Early() []*Dialog { return f.where(false) }

// Confirmed is the dialogs that a 2xx has confirmed, in the order of their tags.
func (f *Fork) Confirmed() []*Dialog { return f.where(true) }

func (f *Fork) where(confirmed bool) []*Dialog {
	var out []*Dialog
	for _, tag := range slices.Sorted(maps.Keys(f.byTag)) {
		if d := f.byTag[tag]; d.Confirmed == confirmed {
			out = append(out, d)
		}
	}
	return out
}
