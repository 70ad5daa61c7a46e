package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"presfed/agents/bed"
	"presfed/routing"
)

type bedInitOptions struct {
	con   *console
	file  string
	model string
}

func newBedInitCmd(con *console, run func(context.Context, bedInitOptions) error) *cobra.Command {
	opts := bedInitOptions{con: con, file: bedFile}
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write an example topology to begin with",
		Long: `Writes a topology that the draft's flows run on to FILE (default: bed.yaml): the
servers, the users, who serves them and whom they let in, the devices. Change it,
then presfed bed up. A file that is there is left alone.

Partitioned: Alice is on server-a, Bob on server-b. Hierarchical and peer: Alice
is on both, with her PC on server-a and her phone on server-b.`,
		Args: takes("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.file = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.model, "model", string(routing.Partitioned), "how Alice is served: `partitioned`, hierarchical or peer")
	return cmd
}

func runBedInit(_ context.Context, opts bedInitOptions) error {
	example, err := bed.Example(routing.Model(opts.model))
	if err != nil {
		return usage("partitioned, hierarchical or peer", "bed init: --model %q", opts.model)
	}
	file, err := os.OpenFile(opts.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("name another file, or remove this one", "bed init: %s is there already", opts.file)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(example)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return opts.con.result(struct {
		Type string `json:"type"`
		File string `json:"file"`
	}{"topology", opts.file}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s written; presfed bed up starts it\n", opts.file)
		return err
	})
}
