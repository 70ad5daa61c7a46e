package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envName is the environment variable of a flag: PRESFED_NO_COLOR for
// --no-color.
func envName(flag string) string {
	return "PRESFED_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// envAnnotation names another variable for a flag that means something else in
// one command than in the others.
const envAnnotation = "presfed_env"

// flagEnv is the variable of one command's flag.
func flagEnv(flag *pflag.Flag) string {
	if names := flag.Annotations[envAnnotation]; len(names) > 0 {
		return names[0]
	}
	return envName(flag.Name)
}

// readEnvironment sets each flag that was not given on the command line from
// its variable. An empty variable counts as not set.
func readEnvironment(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	var failed error
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || flag.Name == "help" || failed != nil {
			return
		}
		value, ok := lookup(flagEnv(flag))
		if !ok || value == "" {
			return
		}
		if err := cmd.Flags().Set(flag.Name, value); err != nil {
			failed = usage("it stands for --"+flag.Name+": "+flag.Usage, "%s=%q: want %s", flagEnv(flag), value, flagWants(flag))
		}
	})
	return failed
}

func flagWants(flag *pflag.Flag) string {
	switch t := flag.Value.Type(); t {
	case "bool":
		return "true or false"
	case "int", "uint", "count":
		return "a whole number"
	case "duration":
		return "a duration such as 5s"
	default:
		return t
	}
}
