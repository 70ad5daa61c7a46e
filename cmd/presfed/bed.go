package main

import "github.com/spf13/cobra"

func newBedCmd(con *console) *cobra.Command {
	return group("bed", "A federation on this machine: servers and devices, each a process",
		newBedInitCmd(con, runBedInit), newBedUpCmd(con, runBedUp), newBedDownCmd(con, runBedDown))
}

// bedFile and bedFolder are where a bed is looked for.
const (
	bedFile   = "bed.yaml"
	bedFolder = "bed"
)
