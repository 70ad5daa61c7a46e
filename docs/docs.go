// Package docs holds what the documents promise against the code; see its tests.
package docs

import _ "embed"

// Torture is TORTURE.md, whose table the tests of several rooms hold the code to.
//
//go:embed TORTURE.md
var Torture string
