package bed_test

import (
	"slices"
	"strings"
	"testing"

	"presfed/agents/flow"
)

// beyond are the checks that no relay of the bed can make fail alone: the
// descriptions, without which there is no session to go on with; the documents
// that a server would refuse rather than compose from; what a session carries
// from device to device; what devices send past the relay.
var beyond = append([]string{
	"4.1.4 F1 SDP", "4.1.4 F1 a=path", "4.1.4 F4 SDP", "4.1.4 F4 a=path",
	"4.1.4 F10 ", "4.1.4 F11 ", "4.1.4 F12 ", "4.1.4 F13 ",
	"4.2.1.1 F8 body is PIDF", "4.2.2.1 F5 body is PIDF",
	"4.2.1.4 F1 SDP", "4.2.1.4 F1 a=path", "4.2.1.4 F6 183 is reliable", "4.2.1.4 F6 both paths", "4.2.1.4 F7 183 is reliable", "4.2.1.4 F7 both paths",
	"4.2.2.3 F1 SDP", "4.2.2.3 F1 a=path", "4.2.2.3 F5 183 is reliable", "4.2.2.3 F5 both paths", "4.2.2.3 F6 183 is reliable", "4.2.2.3 F6 both paths",
	"4.2.1.4 E", "4.2.1.4 M", "4.2.2.3 E", "4.2.2.3 M",
}, past...)

// Every other check has its sabotage.
func TestEveryCheckHasItsSabotage(t *testing.T) {
	list := sabotages()
	for _, f := range flow.List() {
		for _, c := range f.Checks {
			name := f.ID + " " + c.F + " " + c.Name
			excused := slices.ContainsFunc(beyond, func(s string) bool { return strings.HasPrefix(name, s) })
			covered := slices.ContainsFunc(list, func(s sabotage) bool { return strings.HasPrefix(name, s.flow+" "+s.f+" "+s.check) })
			if excused == covered {
				t.Errorf("%s: excused %t, covered %t", name, excused, covered)
			}
		}
	}
}
