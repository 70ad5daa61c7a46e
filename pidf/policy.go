package pidf

import "slices"

// DevicePolicy is a server's own share after it has seen the shares of other
// servers (the call-flows draft, section 4.2.2.2): a do-not-disturb that a
// device published elsewhere closes the presentity's devices here. The result
// still has own's persons and nothing of the others', so that it shows closed
// tuples and no do-not-disturb: what is mirrored is never mirrored again. It is
// computed from scratch each time, and so ends with its cause.
//
// mirrored tells whether there is such a do-not-disturb.
func DevicePolicy(own Document, others ...Share) (share Document, why Explanation, mirrored bool) {
	why = Explanation{Entity: own.Entity, Decisions: []Decision{}}
	mine := ownPublications(own)
	var causes []Person
	for _, p := range union(others, func(d Document) []Person { return d.Persons }, nil) {
		if RankOf(p) == RankDoNotDisturb && p.Source.Kind == KindDevice && !mine[p.Source.Publication] {
			causes = append(causes, p)
		}
	}
	if len(causes) == 0 {
		return own, why, false
	}
	cause := slices.MaxFunc(causes, comparePersons)
	own.Tuples = clip(own.Tuples)
	for i, t := range own.Tuples {
		because := "closed already"
		if !t.closed() {
			because = "closed: a device at another server says do-not-disturb"
			own.Tuples[i].Basic = Closed
		}
		why.add(t.facts(), true, Step{"device policy", because, cause.ID, cause.Source.Publication})
	}
	return own, why, true
}

// ownPublications are those of which a share shows anything. What another
// server says of them is old news.
func ownPublications(own Document) map[string]bool {
	mine := map[string]bool{}
	own.mapSources(func(of *Source, _ string, _ int) { mine[of.Publication] = true }, func(*Person) {})
	delete(mine, "")
	return mine
}
