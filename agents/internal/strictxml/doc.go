// Package strictxml reads a small XML document of a peer into elements, and
// refuses what such a document may not have: a document type and what it could
// define, another encoding than UTF-8, undeclared prefixes, attributes that stand
// twice, a second root, text around the root, and more than its limits.
package strictxml
