package message

import (
	"slices"
	"strings"
)

// MediaType is a content type, or a disposition, in lower case and without parameters.
func MediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

// ContentType is m's media type in lower case, without parameters.
func ContentType(m Message) string { return MediaType(Get(m, "Content-Type")) }

// Accepts says whether m's Accept takes a media type, in lower case (RFC 3261 section
// 20.1). What it means that there is none is for the method to say: nothing is taken here.
func Accepts(m Message, mediaType string) bool {
	main, _, _ := strings.Cut(mediaType, "/")
	return slices.ContainsFunc(Values(m, "Accept"), func(taken string) bool {
		_, params, _ := strings.Cut(taken, ";")
		if q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q="); ok && strings.Trim(q, "0.") == "" {
			return false // q=0: not acceptable
		}
		taken = MediaType(taken)
		return taken == mediaType || taken == main+"/*" || taken == "*/*"
	})
}
