// Package figures is servers as processes, measured: what users on several of them
// cost, and what a cut between them does. It is tests alone; scripts/union-figures
// and scripts/link-cut run them at length.
package figures
