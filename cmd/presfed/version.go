package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this source calls itself; a build from a tagged module says
// the tag instead.
const version = "0.1.0-dev"

type versionOptions struct{ con *console }

func newVersionCmd(con *console, run func(context.Context, versionOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), versionOptions{con}) },
	}
}

func runVersion(_ context.Context, opts versionOptions) error {
	v := struct {
		Type     string `json:"type"`
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{Type: "version", Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if tag := info.Main.Version; tag != "" && tag != "(devel)" {
			v.Version = tag
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return opts.con.result(v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "presfed %s (%s, %s)\n", v.Version, v.Go, v.Platform)
		return err
	})
}
