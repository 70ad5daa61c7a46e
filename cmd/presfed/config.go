package main

import (
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takesConfig gives a command that runs for long its file of flags.
func takesConfig(con *console, cmd *cobra.Command) {
	cmd.Flags().StringVar(&con.config, "config", "", "YAML `file` with values for flags")
}

// maxConfig bounds a file of flags.
const maxConfig = 1 << 20

// readConfig sets the flags that neither the command line nor the environment
// has set from a YAML file: a flag's name, and its value. A key that is no flag
// of the command is an error, shown in its place.
func readConfig(cmd *cobra.Command, path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return err
	}
	if len(text) > maxConfig {
		return usage("a file of flags is short", "%s: larger than %d bytes", path, maxConfig)
	}
	var values yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &values, yaml.Strict()); err != nil {
		return usage("a YAML file of flags, as in: peer-retry: 10s", "%s: %s", path, yaml.FormatError(err, false, true))
	}
	for _, item := range values {
		name := fmt.Sprint(item.Key)
		flag := cmd.Flags().Lookup(name)
		if flag == nil || name == "config" || name == "help" {
			return usage(hintHelp(cmd)+" for those there are", "%s: %s has no flag --%s\n%s", path, cmd.CommandPath(), name, excerpt(text, name))
		}
		if item.Value == nil {
			return usage("it stands for --"+name+": "+flag.Usage, "%s: %s has no value\n%s", path, name, excerpt(text, name))
		}
		if flag.Changed {
			continue
		}
		if err := setFlag(cmd.Flags(), name, item.Value); err != nil {
			return usage("it stands for --"+name+": "+flag.Usage, "%s: %s: want %s\n%s", path, name, flagWants(flag), excerpt(text, name))
		}
	}
	return nil
}

// setFlag gives a flag its value; of a list, each in turn.
func setFlag(flags *pflag.FlagSet, name string, value any) error {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		if err := flags.Set(name, fmt.Sprint(v)); err != nil {
			return err
		}
	}
	return nil
}

// excerpt is the line of a key with what is around it, and a mark under it.
func excerpt(text []byte, key string) string {
	path, err := yaml.PathString("$.'" + key + "'")
	if err != nil {
		return ""
	}
	around, err := path.AnnotateSource(text, false)
	if err != nil {
		return ""
	}
	return string(around)
}
