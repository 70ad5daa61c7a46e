// Package docs holds what the documents promise against the code; see its tests.
package docs
