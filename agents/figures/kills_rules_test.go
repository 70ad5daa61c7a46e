package figures

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"sync"

	"presfed/agents/internal/presrules"
	"presfed/db"
)

// decider says by the command line who may watch, and is sometimes killed in it.
type decider struct {
	b    *killBed
	of   []*watching
	open *watching // of whom it is not known

	mu  sync.Mutex
	now *exec.Cmd
}

func (d *decider) step(rng *rand.Rand) {
	if d.open != nil {
		return
	}
	w := d.of[rng.IntN(len(d.of))]
	blocked := !w.isBlocked()
	handling := map[bool]db.Handling{true: db.PoliteBlock, false: db.Allow}[blocked]
	cmd := exec.Command(d.b.binary, "directory", "policy", "set", w.p.name(), w.watcher, string(handling), "--directory", d.b.directory)
	d.mu.Lock()
	d.now = cmd
	err := cmd.Start()
	d.mu.Unlock()
	if err != nil {
		d.b.crowd.t.Error(err)
		return
	}
	err = cmd.Wait()
	d.mu.Lock()
	interrupted := d.now == nil
	d.now = nil
	d.mu.Unlock()
	switch {
	case err == nil:
		w.block(blocked)
		d.b.decide.Add(1)
	case interrupted:
		d.open = w
	default:
		d.b.crowd.t.Errorf("directory policy set: %v", err)
	}
}

// interrupt kills the command that runs, if one does.
func (d *decider) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now != nil && d.now.Process != nil {
		_ = d.now.Process.Kill()
		d.now = nil
	}
}

// goOn reads what the directory says of what was interrupted.
func (d *decider) goOn(*rand.Rand) {
	if d.open == nil {
		return
	}
	d.open.block(d.b.written(d.open))
	d.open = nil
}

// written is what the directory says of a watcher.
func (b *killBed) written(w *watching) (blocked bool) {
	ctx := context.Background()
	dir, err := db.Open(ctx, b.directory, db.Options{ReadOnly: true})
	if err != nil {
		b.crowd.t.Error(err)
		return false
	}
	defer dir.Close()
	rules, err := dir.Policy(ctx, w.p.name()+"@example.com")
	if err != nil {
		b.crowd.t.Error(err)
	}
	for _, r := range rules {
		if r.Match == db.MatchUser && r.Watcher == w.watcher+"@example.com" {
			blocked = r.Handling == db.PoliteBlock
		}
	}
	return blocked
}

// ruling are users who say themselves who may watch, by HTTP at a server of theirs.
type ruling struct {
	b    *killBed
	of   []*watching
	open *watching // of whom it is not known
}

func (d *ruling) step(rng *rand.Rand) {
	if d.open != nil {
		return
	}
	w := d.of[rng.IntN(len(d.of))]
	blocked := !w.isBlocked()
	rules := []db.Rule{{Match: db.MatchDefault, Handling: db.Allow}}
	for _, o := range d.of {
		if o.p == w.p && (o == w && blocked || o != w && o.isBlocked()) {
			rules = append(rules, db.Rule{Match: db.MatchUser, Watcher: o.watcher + "@example.com", Handling: db.PoliteBlock})
		}
	}
	server := w.p.place.Servers[rng.IntN(len(w.p.place.Servers))]
	root := d.b.servers[server[len("server-"):]].xcap
	req, err := http.NewRequest(http.MethodPut, root+"/pres-rules/users/sip:"+w.p.name()+"@example.com/index", bytes.NewReader(presrules.Bytes(rules, db.Allow)))
	if err != nil {
		d.b.crowd.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", presrules.ContentType)
	d.b.underWay.Add(1)
	res, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	d.b.underWay.Add(-1)
	switch {
	case err != nil:
		d.open = w
		return
	case res.StatusCode == http.StatusOK:
		w.block(blocked)
		d.b.rule.Add(1)
		d.b.answered.Add(1)
	case res.StatusCode == http.StatusServiceUnavailable:
		d.open = w
	default:
		d.b.crowd.t.Errorf("rules of %s: %s", w.p.name(), res.Status)
	}
	res.Body.Close()
}

// goOn reads what the directory says of what was interrupted.
func (d *ruling) goOn(*rand.Rand) {
	if d.open != nil {
		d.open.block(d.b.written(d.open))
		d.open = nil
	}
}
