package pidf

import "testing"

// The server of the phone mirrors the PC's do-not-disturb, without saying it.
func TestDevicePolicy(t *testing.T) {
	own := Compose(alice, Share{Document: Stamp(phone(), device("phone", 1))})
	quiet := Share{Document: Stamp(pc(StatusDND, ""), device("pc", 2))}
	closed, why, mirrored := DevicePolicy(own, quiet)
	if !mirrored || len(why.Decisions) != 2 || why.Decisions[0].Steps[0].By != "pc" {
		t.Errorf("mirrored %v, because %+v", mirrored, why)
	}
	holds(t, "4.2.2.2", "F4", closed)
	if len(closed.Persons) != 0 {
		t.Error("the own share shows a person of another server")
	}
	if own.Tuples[0].Basic != Open {
		t.Error("the share that was given has changed")
	}
	// What is mirrored is not mirrored again, and ends with its cause.
	if _, _, mirrored := DevicePolicy(Compose(alice, quiet), Share{Document: closed}); mirrored {
		t.Error("closed tuples are mirrored")
	}
	if d, _, mirrored := DevicePolicy(own, Share{Document: Stamp(pc(StatusOpen, ""), device("pc", 3))}); mirrored || d.Tuples[0].Basic != Open {
		t.Error("it lasts longer than its cause")
	}
	// Nor is our own do-not-disturb, come back from another server, a reason.
	mine := Compose(alice, quiet)
	if _, _, mirrored := DevicePolicy(mine, quiet); mirrored {
		t.Error("its own do-not-disturb is mirrored")
	}
	// A calendar's do-not-disturb is not a device's.
	byCalendar := Share{Document: Stamp(pc(StatusDND, ""), Source{Publication: "calendar", Kind: KindCalendar})}
	if _, _, mirrored := DevicePolicy(own, byCalendar); mirrored {
		t.Error("a calendar's do-not-disturb is mirrored")
	}
}

// A do-not-disturb of ours that has been outweighed here, or taken back since,
// is still ours when another server tells us of it.
func TestDevicePolicyKnowsItsOwn(t *testing.T) {
	own := Compose(alice, Share{Document: Stamp(pc(StatusOpen, ""), device("pc", 2))},
		Share{Document: Stamp(pc(StatusAway, ""), device("laptop", 3))})
	old := Share{Document: Stamp(pc(StatusDND, ""), device("pc", 1))}
	if d, _, mirrored := DevicePolicy(own, old); mirrored || d.Tuples[0].Basic != Open {
		t.Error("its own former do-not-disturb is mirrored")
	}
}
