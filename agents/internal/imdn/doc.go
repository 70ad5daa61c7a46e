// Package imdn asks what became of an instant message, and says it (RFC 5438):
// the headers that ask, in a CPIM envelope, and the notification that answers.
package imdn
