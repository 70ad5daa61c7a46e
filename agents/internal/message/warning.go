package message

import (
	"strings"
	"unicode/utf8"

	"presfed/agents/plain"
)

// warned is how many bytes of a text a Warning tells.
const warned = 200

// Warning is the value of a Warning field of ours: why a request was refused (RFC
// 3261 section 20.43). What a peer put into the text stays short and on its line.
func Warning(why string) string {
	if len(why) > warned {
		cut := warned
		for !utf8.RuneStart(why[cut]) {
			cut--
		}
		why = why[:cut] + "..."
	}
	return "399 presfed " + Quote(strings.Map(func(r rune) rune {
		if plain.Acts(r) {
			return ' '
		}
		return r
	}, why))
}
