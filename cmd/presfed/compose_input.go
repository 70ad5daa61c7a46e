package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"presfed/pidf"
)

// input is one document to compose.
type input struct {
	file string // as it was named; "-" is standard input
	data []byte
	doc  pidf.Document
}

func (in input) name() string { return fileName(in.file) }

func fileName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// readInputs reads the files, each to its limit.
func readInputs(opts composeOptions) ([]input, error) {
	if first := slices.Index(opts.files, "-"); first >= 0 && slices.Contains(opts.files[first+1:], "-") {
		return nil, usage("give the other documents as files", "compose: standard input (-) can be read once only")
	}
	var inputs []input
	for _, file := range opts.files {
		data, err := readDocument(opts.con.in, file)
		if err != nil {
			return nil, err
		}
		doc, err := pidf.Parse(data, pidf.DefaultLimits())
		if err != nil {
			hint := "a presence document is XML with the root element presence (RFC 3863)"
			if errors.Is(err, pidf.ErrTooLarge) {
				hint = "documents above this are refused by servers as well (413)"
			}
			return nil, fail(exitUsage, fmt.Errorf("%s: %w", fileName(file), err), hint)
		}
		inputs = append(inputs, input{file, data, doc})
	}
	return inputs, nil
}

func readDocument(stdin io.Reader, file string) ([]byte, error) {
	limit := pidf.DefaultLimits().Bytes
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", fileName(file), err), "")
	case len(data) > limit:
		return nil, usage("documents above this are refused by servers as well (413)", "%s: more than %d bytes", fileName(file), limit)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, usage("a presence document is XML with the root element presence (RFC 3863)", "%s is empty", fileName(file))
	}
	return data, nil
}

// oneEntity finds the presentity that all documents are about. Of several
// spellings it is the first in the alphabet, so that the order says nothing.
func oneEntity(inputs []input, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	entity := inputs[0].doc.Entity
	for _, in := range inputs[1:] {
		if sameEntity(in.doc.Entity) != sameEntity(inputs[0].doc.Entity) {
			return "", usage("compose the documents of one user; if they mean the same one, say so with --entity URI",
				"%s is about %s, and %s about %s", inputs[0].name(), inputs[0].doc.Entity, in.name(), in.doc.Entity)
		}
		entity = min(entity, in.doc.Entity)
	}
	return entity, nil
}

// sameEntity is equal for the spellings of one presentity: pres and sip are one
// scheme here, the host is in any case, parameters do not count.
func sameEntity(uri string) string {
	if scheme, rest, ok := strings.Cut(uri, ":"); ok && slices.Contains([]string{"pres", "sip", "sips", "im"}, strings.ToLower(scheme)) {
		uri = rest
	}
	user, host, ok := strings.Cut(uri, "@")
	if !ok {
		return uri
	}
	host, _, _ = strings.Cut(host, ";")
	return user + "@" + strings.ToLower(host)
}

// share is the document as its model has it: a publication's word of sources
// is not believed.
func (in input) share(model string) pidf.Share {
	doc := in.doc
	if model == modelPartitioned {
		doc = doc.WithoutSources()
	}
	return pidf.Share{Source: pidf.Source{Publication: in.file}, Document: doc}
}

// publications are those that a document has anything of.
func (in input) publications() []string {
	list := []string{in.file}
	for _, t := range in.doc.Tuples {
		list = append(list, cmp.Or(t.Source.Publication, in.file))
	}
	for _, p := range in.doc.Persons {
		list = append(list, cmp.Or(p.Source.Publication, in.file))
	}
	for _, d := range in.doc.Devices {
		list = append(list, cmp.Or(d.Source.Publication, in.file))
	}
	return list
}

// saysSources names the first input that says whose its elements are.
func saysSources(inputs []input) string {
	for _, in := range inputs {
		if slices.ContainsFunc(in.publications(), func(p string) bool { return p != in.file }) {
			return in.name()
		}
	}
	return ""
}

// withFiles says of each decision which files its publication stands in.
func withFiles(why pidf.Explanation, inputs []input) []explained {
	list := []explained{}
	for _, d := range why.Decisions {
		e := explained{Decision: d}
		for _, in := range inputs {
			if slices.Contains(in.publications(), d.Publication) && !slices.Contains(e.Files, in.file) {
				e.Files = append(e.Files, in.file)
			}
		}
		list = append(list, e)
	}
	return list
}

// findings are those of all inputs and of the result.
func findings(inputs []input, result []byte) ([]fileFinding, error) {
	var list []fileFinding
	add := func(file string, data []byte, limits pidf.Limits) error {
		found, err := pidf.Validate(data, limits)
		for _, f := range found {
			list = append(list, fileFinding{file, f})
		}
		return err
	}
	for _, in := range inputs {
		if err := add(in.file, in.data, pidf.DefaultLimits()); err != nil {
			return nil, err
		}
	}
	// Many documents may make one above the limit of each.
	err := add("", result, pidf.Limits{Bytes: 1 << 30, Elements: 1 << 30, Depth: 1 << 10, Attributes: 1 << 10})
	return list, err
}
