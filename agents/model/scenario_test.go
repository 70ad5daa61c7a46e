package model

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"presfed/db"
	"presfed/routing"
)

// scenario is one sequence, as it is printed and replayed. What a step is about
// is said by numbers, each modulo what there is to choose from when its turn
// comes: any list of steps is a scenario, and so is what is left of one.
type scenario struct {
	variant
	Places []placing `json:"places"`
	Steps  []step    `json:"steps"`
}

// placing is where a presentity is, servers by number.
type placing struct {
	Model   routing.Model `json:"model"`
	Servers []int         `json:"servers"`
	Root    int           `json:"root"`
}

// step is one of them. It is written as "publish 3 14 15".
type step struct {
	op      string
	a, b, c int
}

func (s step) String() string { return fmt.Sprintf("%s %d %d %d", s.op, s.a, s.b, s.c) }

func (s step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *step) UnmarshalText(text []byte) error {
	_, err := fmt.Sscan(string(text), &s.op, &s.a, &s.b, &s.c)
	if err == nil && ops[s.op] == nil {
		err = fmt.Errorf("no such step: %s", s.op)
	}
	return err
}

func (s scenario) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// variants are what beds there are; a seed stands for one of them.
var variants = []variant{
	{Servers: 3, Policy: db.RootPolicy},
	{Servers: 2, Policy: db.RootPolicy, ToRoot: true},
	{Servers: 3, Policy: db.DistributedPolicy},
	{Servers: 2, Policy: db.ProvisionedPolicy, Synchronised: true},
}

// fewest is how many steps a scenario has at least, the settling not counted.
const fewest = 20

// weights say how often each kind of step comes.
var weights = map[string]int{
	"login": 3, "logout": 2, "publish": 9, "modify": 9, "refresh": 2, "remove": 4, "expire": 1,
	"watch": 10, "unwatch": 3, "fetch": 4, "rule": 6, "kill": 2, "start": 3, "cut": 2, "heal": 3, "place": 2,
}

// generate makes the scenario of a seed.
func generate(seed uint64) scenario {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := scenario{variant: variants[seed%uint64(len(variants))]}
	s.Places = []placing{place(rng, s.Servers, rng.IntN(2)+1), place(rng, s.Servers, rng.IntN(3))}
	var kinds []string
	for _, op := range slices.Sorted(keys(weights)) {
		for range weights[op] {
			kinds = append(kinds, op)
		}
	}
	// Somebody is there, and is watched, before anything happens.
	s.Steps = append(s.Steps, step{"login", 0, rng.IntN(1000), 0}, step{"login", rng.IntN(1000), rng.IntN(1000), 0})
	for range 3 + rng.IntN(6) {
		s.Steps = append(s.Steps, step{"watch", rng.IntN(1000), 0, 0})
	}
	s.Steps = append(s.Steps, step{op: "settle"})
	for n := fewest + rng.IntN(10); n > 0; n-- {
		s.Steps = append(s.Steps, step{kinds[rng.IntN(len(kinds))], rng.IntN(1000), rng.IntN(1000), rng.IntN(1000)})
		if rng.IntN(5) < 3 {
			s.Steps = append(s.Steps, step{op: "settle"})
		}
	}
	return s
}

// place is a random place: partitioned (0), hierarchical (1), peer (2).
func place(rng *rand.Rand, servers, model int) placing {
	order := rng.Perm(servers)
	switch model {
	case 0:
		return placing{Model: routing.Partitioned, Servers: order[:1]}
	case 1: // now and then the root serves her not, and has her whole all the same
		return placing{Model: routing.Hierarchical, Servers: order[:1+rng.IntN(servers)], Root: rng.IntN(servers)}
	}
	return placing{Model: routing.Peer, Servers: order[:2+rng.IntN(servers-1)]}
}

// composer is the server that a watcher at another sees her through.
func (p placing) composer(home int) int {
	switch p.Model {
	case routing.Partitioned:
		return p.Servers[0]
	case routing.Hierarchical:
		return p.Root
	}
	return home
}

func (p placing) place(servers []*server) routing.Place {
	place := routing.Place{Model: p.Model}
	for _, i := range p.Servers {
		place.Servers = append(place.Servers, servers[i].name)
	}
	if p.Model == routing.Hierarchical {
		place.Root = servers[p.Root].name
	}
	return place
}
