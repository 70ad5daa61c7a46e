// Package presence turns what users publish into what their watchers see (RFC
// 3856, 3903).
//
// Publications make a presentity's own share; with the shares of other servers
// it becomes her composed view. Both are kept apart: a watcher is shown the view
// her subscription names, if policy lets her.
package presence
