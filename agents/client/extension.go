package client

import (
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
)

// The extensions that a device knows by their option tags: reliable provisional
// responses (RFC 3262) and early sessions (RFC 3959).
const (
	reliable  = "100rel"
	early     = "early-session"
	supported = early + ", " + reliable
)

// unsupported are the extensions that m requires and a device does not know; that
// of a list is known where lists are told of.
func unsupported(m message.Message) []string {
	return slices.DeleteFunc(message.Values(m, "Require"), func(tag string) bool {
		return strings.EqualFold(tag, reliable) || strings.EqualFold(tag, early) ||
			message.Method(m) == message.NOTIFY && strings.EqualFold(tag, rlmi.Extension)
	})
}

// knows says whether the sender of req understands an extension.
func knows(req *message.Request, tag string) bool {
	return message.HasToken(req, "Supported", tag) || message.HasToken(req, "Require", tag)
}
