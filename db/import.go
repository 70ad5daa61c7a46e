package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"presfed/routing"
)

// ImportOptions says how a file meets what is there.
type ImportOptions struct {
	// Replace makes the directory exactly what the file says. Without it what
	// the file names is added or changed, and everything else stays.
	Replace bool
}

// Imported counts what a file named.
type Imported struct{ Servers, Users int }

// ImportError says where a file cannot be taken and what was expected there.
// Nothing of the file was taken.
type ImportError struct {
	Line int // counted from 1; 0: unknown
	Err  error
}

func (e *ImportError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}
func (e *ImportError) Unwrap() error { return e.Err }

// Import takes in a file as [View.Export] writes it, all of it or nothing. A
// user's password is turned into HA1s in the domain's realm. Whatever is wrong
// in the file is an *ImportError.
func (d *DB) Import(ctx context.Context, text []byte, o ImportOptions) (Imported, error) {
	doc, root, err := parseDocument(text)
	if err != nil {
		return Imported{}, err
	}
	in := &importer{doc: doc, root: root}
	err = d.Update(ctx, func(t *Tx) error {
		in.Tx = t
		if o.Replace {
			if err := t.clear(); err != nil {
				return err
			}
		}
		return in.all()
	})
	if err != nil {
		return Imported{}, err
	}
	return Imported{Servers: len(doc.Servers), Users: len(doc.Users)}, nil
}

func parseDocument(text []byte) (*document, ast.Node, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, nil, yamlError(err)
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil || d.Body.Type() == ast.CommentType })
	switch {
	case len(docs) == 0:
		return nil, nil, &ImportError{Err: errors.New("the file is empty: want domain, servers or users")}
	case len(docs) > 1:
		return nil, nil, &ImportError{Line: lineOf(docs[1].Body), Err: errors.New("a second document begins here: want one")}
	}
	var doc document
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(docs[0].Body, &doc); err != nil {
		return nil, nil, yamlError(err)
	}
	if doc.Format != 0 && doc.Format != format {
		return nil, nil, &ImportError{Line: lineAt(docs[0].Body, "$.presfed-directory"),
			Err: &InvalidError{Field: "presfed-directory", Value: fmt.Sprint(doc.Format), Want: fmt.Sprint(format)}}
	}
	return &doc, docs[0].Body, nil
}

// yamlError keeps the line and what is wrong, without the excerpt, which may
// show a password.
func yamlError(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &ImportError{Err: err}
	}
	out := &ImportError{Err: errors.New(y.GetMessage())}
	if tk := y.GetToken(); tk != nil && tk.Position != nil {
		out.Line = tk.Position.Line
	}
	return out
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// lineAt finds the line of a value by its path; it is asked only once something
// is wrong.
func lineAt(root ast.Node, path string) int {
	p, err := yaml.PathString(path)
	if err != nil {
		return 0
	}
	n, err := p.FilterNode(root)
	if err != nil {
		return 0
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return lineOf(m.Values[0].Key)
	}
	return lineOf(n)
}

// importer is one import under way.
type importer struct {
	*Tx
	doc  *document
	root ast.Node
	home Domain
}

// at says at which path of the file an error is. Errors of the directory itself
// are nobody's line.
func (in *importer) at(path string, err error) error {
	if err == nil || errors.Is(err, ErrUnreachable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	line := lineAt(in.root, path)
	for line == 0 && len(path) > 1 { // what is left out has no line, its parent has
		path = path[:max(bytes.LastIndexAny([]byte(path), ".["), 1)]
		line = lineAt(in.root, path)
	}
	return &ImportError{Line: line, Err: err}
}

func (in *importer) all() (err error) {
	if d := in.doc.Domain; d != nil {
		old, err := in.settings()
		if err != nil {
			return err
		}
		next := Domain{Name: d.Name, Realm: d.Realm, PolicyMode: d.PolicyMode, Default: d.Default}
		if next.Name == old.Name {
			next.Realm, next.PolicyMode, next.Default = or(d.Realm, old.Realm), or(d.PolicyMode, old.PolicyMode), or(d.Default, old.Default)
		}
		if err := in.SetDomain(next); err != nil {
			return in.at("$.domain", err)
		}
	}
	if in.home, err = in.settings(); err != nil {
		return err
	}
	for i, s := range in.doc.Servers {
		if slices.ContainsFunc(in.doc.Servers[:i], func(o serverDocument) bool { return o.Name == s.Name }) {
			return in.at(fmt.Sprintf("$.servers[%d]", i), &ExistsError{What: "server", Name: s.Name})
		}
		if err := in.put("SELECT name FROM server WHERE name = $1", s.Name,
			func(there bool) error { return in.putServer(Server(s), there) }); err != nil {
			return in.at(fmt.Sprintf("$.servers[%d]", i), err)
		}
	}
	seen := make(map[string]bool, len(in.doc.Users))
	for i, u := range in.doc.Users {
		aor, err := localUser(u.User, in.home.Name)
		if err == nil && seen[aor] {
			err = &ExistsError{What: "user", Name: aor}
		}
		if err != nil {
			return in.at(fmt.Sprintf("$.users[%d].user", i), err)
		}
		seen[aor] = true
		if field, err := in.user(aor, u); err != nil {
			return in.at(fmt.Sprintf("$.users[%d].%s", i, field), err)
		}
	}
	return nil
}

func or[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}

// put adds or changes, whichever it takes.
func (in *importer) put(query, name string, put func(there bool) error) error {
	var got string
	there, err := in.one(in.tx.ctx, []any{&got}, query, name)
	if err != nil {
		return err
	}
	return put(there)
}

// user takes in one user, and names the field that an error is in.
func (in *importer) user(aor string, doc userDocument) (field string, err error) {
	u, err := in.User(in.tx.ctx, aor)
	there := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "user", err
	}
	u.AOR = aor
	if doc.Display != nil {
		u.Display = *doc.Display
	}
	switch {
	case doc.Password != nil && doc.HA1 != nil:
		return "password", &InvalidError{Field: "password of " + aor, Value: "...", Want: "a password or an ha1, not both"}
	case doc.Password != nil && *doc.Password == "":
		return "password", &InvalidError{Field: "password of " + aor, Want: "at least one character"}
	case doc.Password != nil:
		u.Realm, u.HA1 = in.home.Realm, HA1s(aor, in.home.Realm, *doc.Password)
	case doc.HA1 != nil:
		u.Realm, u.HA1 = or(doc.Realm, in.home.Realm), doc.HA1.hashes()
		for a, ha1 := range u.HA1 {
			if err := validHA1(aor, a, ha1); err != nil {
				return "ha1." + string(a), err
			}
		}
	}
	if err := in.putUser(u, there); err != nil {
		return "display", err
	}
	if field, err := in.place(aor, doc); err != nil {
		return field, err
	}
	if doc.Policy != nil {
		if field, err := in.policy(aor, doc.Policy); err != nil {
			return field, err
		}
	}
	if doc.Buddies != nil {
		return "buddies", in.SetBuddies(aor, doc.Buddies)
	}
	return "", nil
}

func (in *importer) place(aor string, doc userDocument) (field string, err error) {
	if doc.Servers == nil && doc.Model == "" {
		if doc.Root != "" {
			return "root", &InvalidError{Field: "root of " + aor, Value: doc.Root, Want: "servers and model: hierarchical beside it"}
		}
		return "", nil
	}
	p := routing.Place{Model: doc.Model, Servers: doc.Servers, Root: doc.Root}
	if p.Model == "" && len(p.Servers) == 1 {
		p.Model = routing.Partitioned
	}
	field = "servers"
	if _, err := routing.ParseModel(string(p.Model)); err != nil {
		field = "model"
	}
	return field, in.Assign(aor, p)
}

func (in *importer) policy(aor string, doc *policyDocument) (field string, err error) {
	if _, err := in.exec("DELETE FROM rule WHERE presentity = $1", aor); err != nil {
		return "policy", err
	}
	in.touch(KindPolicy, aor)
	for _, w := range slices.Sorted(maps.Keys(doc.Users)) {
		if err := in.SetRule(Rule{aor, MatchUser, w, doc.Users[w]}); err != nil {
			return "policy.users.'" + w + "'", err
		}
	}
	for _, w := range slices.Sorted(maps.Keys(doc.Domains)) {
		if err := in.SetRule(Rule{aor, MatchDomain, w, doc.Domains[w]}); err != nil {
			return "policy.domains.'" + w + "'", err
		}
	}
	if doc.Default == "" {
		return "", nil
	}
	return "policy.default", in.SetRule(Rule{aor, MatchDefault, "", doc.Default})
}

// clear empties the directory but for the domain, and notes all that went.
func (t *Tx) clear() error {
	for _, c := range []struct {
		names string
		kinds []Kind
	}{
		{"SELECT aor FROM account", []Kind{KindUser, KindPlace, KindPolicy, KindBuddies}},
		{"SELECT name FROM server", []Kind{KindServer}},
	} {
		names, err := t.names(t.tx.ctx, c.names)
		if err != nil {
			return err
		}
		for _, name := range names {
			for _, k := range c.kinds {
				t.touch(k, name)
			}
		}
	}
	for _, q := range []string{"DELETE FROM account", "DELETE FROM server"} {
		if _, err := t.exec(q); err != nil {
			return err
		}
	}
	return nil
}
