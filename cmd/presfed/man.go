package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

type manOptions struct {
	con   *console
	dir   string
	pages []manPage // the one asked for, or all with dir
}

// manPage is one command's page.
type manPage struct{ name, roff string }

func newManCmd(con *console, run func(context.Context, manOptions) error) *cobra.Command {
	opts := manOptions{con: con}
	cmd := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print a man page, or write all of them",
		Long: `Prints the man page of presfed or of one command:

  presfed man certs issue | man -l -

With --man-dir it writes every page into a folder, which must exist.`,
		Args: takes("[COMMAND...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.dir != "" {
				if len(args) > 0 {
					return usage(hintHelp(cmd), "man: a command or --man-dir, not both")
				}
				opts.pages = manPages(cmd.Root())
				return run(cmd.Context(), opts)
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(hintHelp(cmd.Root()), "man: unknown command %q", strings.Join(args, " "))
			}
			opts.pages = []manPage{newManPage(found)}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.dir, "man-dir", "", "write all pages into this folder")
	return cmd
}

func runMan(_ context.Context, opts manOptions) error {
	for _, page := range opts.pages {
		if opts.dir == "" {
			if err := opts.con.result(struct {
				Type string `json:"type"`
				Name string `json:"name"`
				Page string `json:"page"`
			}{"man", page.name, page.roff}, func(w io.Writer) error {
				_, err := io.WriteString(w, page.roff)
				return err
			}); err != nil {
				return err
			}
			continue
		}
		path := filepath.Join(opts.dir, page.name+".1")
		if err := os.WriteFile(path, []byte(page.roff), 0o644); err != nil {
			return err
		}
		if err := opts.con.result(struct {
			Type string `json:"type"`
			Name string `json:"name"`
			File string `json:"file"`
		}{"man", page.name, path}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, path)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func manPages(cmd *cobra.Command) []manPage {
	pages := []manPage{newManPage(cmd)}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			pages = append(pages, manPages(child)...)
		}
	}
	return pages
}
