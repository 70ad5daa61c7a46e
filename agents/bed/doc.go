// Package bed is a throw-away federation: a directory, certificates, two servers
// and the devices of their users, on loopback addresses of their own.
package bed
