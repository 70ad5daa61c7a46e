package sip

import (
	"testing"

	"presfed/agents/internal/wire"
)

func TestTapRecordsBothEnds(t *testing.T) {
	records := make(chan wire.Record, 16)
	tap := func(name string) func(*Config) {
		return func(c *Config) {
			c.Name = name
			c.Tap = func(r wire.Record) { r.Raw = append([]byte(nil), r.Raw...); records <- r }
		}
	}
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, tap("server"))
	client := start(t, &handler{}, tap("client"))
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	recv(t, got)
	seen := map[string]wire.Record{}
	for range 4 {
		r := recv(t, records)
		seen[r.Participant+" "+string(r.Direction)] = r
	}
	for _, pair := range [][2]string{{"client out", "server in"}, {"server out", "client in"}} {
		a, b := seen[pair[0]], seen[pair[1]]
		if a.Src != b.Src || a.Dst != b.Dst || string(a.Raw) != string(b.Raw) || len(a.Raw) == 0 {
			t.Errorf("%s and %s differ:\n%+v\n%+v", pair[0], pair[1], a, b)
		}
	}
}
