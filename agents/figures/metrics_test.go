package figures

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// get is what the server's admin port says.
func (p *process) get(path string) string {
	p.t.Helper()
	res, err := http.Get(p.admin + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(said)
}

// metrics are the server's, by name and labels.
type metrics struct {
	t      *testing.T
	values map[string]int
}

func (p *process) metrics() metrics {
	p.t.Helper()
	m := metrics{p.t, map[string]int{}}
	for line := range strings.Lines(p.get("/metrics")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			m.values[name] = int(n)
		}
	}
	return m
}

// sum is that of metrics there must be: one that is called otherwise by now is not 0.
func (m metrics) sum(names ...string) (n int) {
	m.t.Helper()
	for _, name := range names {
		value, there := m.values[name]
		if !there {
			m.t.Fatalf("the server has no metric %s", name)
		}
		n += value
	}
	return n
}
