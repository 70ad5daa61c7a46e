// Package figures is servers as processes, measured: what users on several of them
// cost, what a cut or a lossy link between them does, what load and abuse do, and what is
// left of users who have gone. It is tests alone; scripts/figures runs them at length.
package figures
