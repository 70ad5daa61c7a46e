// Package figures is servers as processes, measured: what users on several of them
// cost, what a cut between them does, and what is left of users who have gone. It is
// tests alone; scripts/figures, scripts/union-figures and scripts/link-cut run them at
// length.
package figures
