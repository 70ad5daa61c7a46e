package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"presfed/pidf"
)

// The models of composition, as --model names them.
const (
	modelPartitioned  = "partitioned"
	modelHierarchical = "hierarchical"
	modelPeer         = "peer"
)

type composeOptions struct {
	con      *console
	files    []string
	model    string
	modelSet bool
	entity   string
	dialect  string
	explain  bool
	validate bool
	sources  bool
	own      bool
}

func newComposeCmd(con *console, run func(context.Context, composeOptions) error) *cobra.Command {
	opts := composeOptions{con: con}
	cmd := &cobra.Command{
		Use:   "compose FILE...",
		Short: "Compose presence documents, and say why",
		Long: `Composes the presence documents in the FILEs (- for standard input), all of one
presentity, and prints what a watcher gets. Neither the order of the FILEs nor how
they were composed before makes a difference. --model says what they are:

  partitioned   each FILE is what one of the user's devices published at her one
                server. What it says of sources (--sources) is not believed.
  hierarchical  the first FILE is the own share of the root, the others are those
                of its children; the root composes.
  peer          each FILE is the own share of one server, and the first one is
                asked. Before, every server closes its tuples where a device at
                another one says do-not-disturb (its device policy). --own prints
                the share that the first server then tells the others.

The rules: tuples and devices stand beside each other, by publication and id; ids
that collide are marked. One person: do-not-disturb, before another activity of a
device, before a calendar's, before available, before nothing; then the newer
timestamp (none is the oldest), then by content. A do-not-disturb closes every
tuple. A publication is named after its FILE, unless the document says whose an
element is; a calendar is known by the class calendar.

--explain adds, for each element of each FILE, whose it is, whether it was kept,
and the rules that let it in, changed it or dropped it, with the element that
decided. --validate holds each FILE and the result against the schemas of RFC 3863,
4479, 4480, 4481, 4482 and 5196: order and number of elements, attributes, values,
ids. It finds as well what those namespaces do not have and the call-flows draft's
own spelling. It does not look into other namespaces or into URIs. Exit code 1 if
there is anything to find; what cannot be read at all is 2.

With --json one object: document, with --explain its elements, with --validate
findings.`,
		Example: `  presfed compose pc.xml phone.xml --explain
  presfed compose --model peer --own phone.xml pc.xml
  presfed compose --validate vendor.xml`,
		Args: takes("FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.files, opts.modelSet = args, cmd.Flags().Changed("model")
			return run(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.model, "model", modelPartitioned, "what the FILEs are: partitioned, hierarchical or peer")
	flags.StringVar(&opts.entity, "entity", "", "`URI` of the presentity that all FILEs are about, whatever they write")
	flags.StringVar(&opts.dialect, "dialect", "standard", "spelling of the result: standard (the RFCs) or draft (the call-flows draft)")
	flags.BoolVar(&opts.explain, "explain", false, "say of each element whose it is and what became of it")
	flags.BoolVar(&opts.validate, "validate", false, "hold the FILEs and the result against the RFCs' schemas")
	flags.BoolVar(&opts.sources, "sources", false, "keep in the result whose each element is, to be composed again")
	flags.BoolVar(&opts.own, "own", false, "print the first server's own share instead of what watchers get (peer)")
	return cmd
}

// composed is what the command prints.
type composed struct {
	Type     string        `json:"type"`
	Model    string        `json:"model"`
	Entity   string        `json:"entity"`
	Document string        `json:"document"`
	Elements []explained   `json:"elements,omitempty"`
	Valid    *bool         `json:"valid,omitempty"`
	Findings []fileFinding `json:"findings,omitempty"`
}

// explained is one decision with the files that its publication stands in.
type explained struct {
	Files []string `json:"files,omitempty"`
	pidf.Decision
}

// fileFinding is a finding in a file; without one it is in the result.
type fileFinding struct {
	File string `json:"file,omitempty"`
	pidf.Finding
}

func runCompose(_ context.Context, opts composeOptions) error {
	dialect, err := opts.check()
	if err != nil {
		return err
	}
	inputs, err := readInputs(opts)
	if err != nil {
		return err
	}
	entity, err := oneEntity(inputs, opts.entity)
	if err != nil {
		return err
	}
	if said := saysSources(inputs); said != "" && !opts.modelSet {
		fmt.Fprintf(opts.con.talk, "presfed: %s says whose its elements are; a publication is not believed that, with --model hierarchical or peer a server is\n", said)
	}
	doc, why := composeBy(opts, entity, inputs)
	text := pidf.Write(doc, dialect)
	out := composed{Type: "composed", Model: opts.model, Entity: entity, Document: string(text)}
	if opts.explain {
		out.Elements = withFiles(why, inputs)
	}
	if opts.validate {
		if out.Findings, err = findings(inputs, text); err != nil {
			return err
		}
		valid := len(out.Findings) == 0
		out.Valid = &valid
	}
	if err := opts.con.result(out, out.print); err != nil {
		return err
	}
	if n := len(out.Findings); n > 0 {
		return fail(exitVerdict, fmt.Errorf("not valid: %d %s", n, map[bool]string{true: "finding", false: "findings"}[n == 1]), "")
	}
	return nil
}

// check holds the flags against each other.
func (opts composeOptions) check() (pidf.Dialect, error) {
	switch opts.model {
	case modelPartitioned, modelHierarchical, modelPeer:
	default:
		return 0, usage("partitioned: publications at one server; hierarchical: a root's share and its children's; peer: servers' shares",
			"compose: --model %q: want partitioned, hierarchical or peer", opts.model)
	}
	if opts.own && opts.model != modelPeer {
		return 0, usage("add --model peer", "compose: --own is what a server tells its peers, and --model is %s", opts.model)
	}
	for _, d := range []pidf.Dialect{pidf.Standard, pidf.Draft} {
		if opts.dialect == d.String() {
			return d, nil
		}
	}
	return 0, usage("", "compose: --dialect %q: want standard or draft", opts.dialect)
}

// composeBy composes as the model has it.
func composeBy(opts composeOptions, entity string, inputs []input) (pidf.Document, pidf.Explanation) {
	var shares []pidf.Share
	for _, in := range inputs {
		shares = append(shares, in.share(opts.model))
	}
	doc, why := pidf.Explain(entity, shares...)
	if opts.model == modelPeer {
		var first pidf.Document
		var policies []pidf.Explanation
		for i := range shares {
			others := append(append([]pidf.Share{}, shares[:i]...), shares[i+1:]...)
			own, ownWhy := pidf.Explain(entity, shares[i])
			own, policy, _ := pidf.DevicePolicy(own, others...)
			policies = append(policies, policy)
			if i == 0 && opts.own {
				first, why = own, ownWhy
			}
		}
		if opts.own {
			return first, why.With(policies[0])
		}
		for _, policy := range policies {
			why = why.With(policy)
		}
	}
	if !opts.sources {
		doc = doc.WithoutSources()
	}
	return doc, why
}
