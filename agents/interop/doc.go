// Package interop is the servers with the programs that people have, and our devices
// with a server that people have. It is tests alone; scripts/figures.d/interop prints
// what they found.
package interop
