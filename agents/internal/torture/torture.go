// Package torture is the messages of RFC 4475 and RFC 5118 with what the RFCs ask
// for each and what we do, as docs/TORTURE.md has it: for tests.
package torture

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"presfed/docs"
)

//go:embed testdata/rfc4475/*.dat testdata/rfc5118/*.dat
var files embed.FS

// Case is one message and the verdicts on it, in the words of docs/TORTURE.md.
type Case struct {
	Name, RFC string
	Raw       []byte
	Asked     Verdicts // by the RFC; several are joined by " or "
	Ours      Verdicts
	Server    string // what our server does, by UDP and by TCP
}

// Verdicts are those on a message as a parser, as a user agent and as a proxy.
type Verdicts struct{ Parser, Agent, Proxy string }

// Cases reads the table and the messages; each row has its message, each message
// its row.
func Cases() ([]Case, error) {
	var out []Case
	left := map[string]bool{}
	for _, rfc := range []string{"rfc4475", "rfc5118"} {
		list, err := files.ReadDir("testdata/" + rfc)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			left[rfc+"/"+strings.TrimSuffix(f.Name(), ".dat")] = true
		}
	}
	rfc := ""
	for line := range strings.Lines(docs.Torture) {
		if at := strings.Index(line, "RFC "); strings.HasPrefix(line, "## ") && at > 0 {
			rfc = "rfc" + strings.Fields(line[at+4:])[0]
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 12 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name := strings.Trim(cells[1], "`")
		if !left[rfc+"/"+name] {
			return nil, fmt.Errorf("%s of %s: no such message, or a second row", name, rfc)
		}
		delete(left, rfc+"/"+name)
		raw, err := files.ReadFile(path.Join("testdata", rfc, name+".dat"))
		if err != nil {
			return nil, err
		}
		out = append(out, Case{Name: name, RFC: rfc, Raw: raw, Asked: Verdicts{cells[3], cells[4], cells[5]},
			Ours: Verdicts{cells[6], cells[7], cells[8]}, Server: cells[9]})
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("no row for %v", left)
	}
	return out, nil
}

// By is the part of a verdict of ours that is for a transport: "400 / silent" is
// 400 by UDP and silence by TCP.
func By(transport, verdict string) string {
	if udp, tcp, both := strings.Cut(verdict, " / "); both && transport == "TCP" {
		return tcp
	} else if both {
		return udp
	}
	return verdict
}

var callID = regexp.MustCompile(`(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)`)

// ID is what the answers to a message and its copies have in common: its Call-ID,
// or its branch where it has none.
func (c Case) ID() string {
	if found := callID.FindSubmatch(c.Raw); found != nil {
		return string(found[1])
	}
	_, branch, _ := strings.Cut(string(c.Raw), "branch=")
	return strings.TrimSpace(strings.SplitN(branch, "\r\n", 2)[0])
}

var branch = regexp.MustCompile(`z9hG4bK[^;,\s]*`)

// batches divides cases so that within each none can be taken for another's
// retransmission: the RFCs use Call-IDs and branches again.
func batches(cases []Case) (out [][]Case) {
	used := []map[string]bool{}
	for _, c := range cases {
		keys := append(branch.FindAllString(string(c.Raw), -1), c.ID())
		at := slices.IndexFunc(used, func(u map[string]bool) bool {
			return !slices.ContainsFunc(keys, func(k string) bool { return u[k] })
		})
		if at < 0 {
			at = len(used)
			used, out = append(used, map[string]bool{}), append(out, nil)
		}
		for _, k := range keys {
			used[at][k] = true
		}
		out[at] = append(out[at], c)
	}
	return out
}

// Each gives every batch of cases, for either transport.
func Each(t *testing.T, do func(transport string, batch []Case)) {
	t.Helper()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches(cases) {
		for _, transport := range []string{"UDP", "TCP"} {
			do(transport, batch)
		}
	}
}

// Allows says whether the RFC leaves room for a verdict of ours. Where it asks for
// nothing but that the message is taken, anything does that does not call it
// malformed or unheard of.
func Allows(asked, ours string) bool {
	ours, _, _ = strings.Cut(ours, ",")
	for alternative := range strings.SplitSeq(asked, " or ") {
		switch alternative {
		case ours:
			return true
		case "ok":
			if ours != "400" && ours != "dropped" && ours[0] != '5' {
				return true
			}
		case "dropped":
			if ours == "silent" {
				return true
			}
		}
	}
	return false
}
