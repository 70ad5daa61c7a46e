// Package backend holds subscriptions at the other servers that serve a user, so
// that her composed view can be made of all their shares.
//
// Somebody says which shares a presentity needs at present ([Backend.Need]): a
// server's own share, one subscription for all watchers, or what a server shows
// to one watcher, a subscription on her behalf. What comes of it is told as
// [Share]s. A server that cannot be reached keeps its share for a while (Grace);
// one that denies is asked again only after the need has gone.
package backend
