package main

import (
	"mime"
	"strings"

	"github.com/spf13/pflag"

	"presfed/agents/client"
)

// checkWords holds flags that become words of a message, wherever they came from,
// against what can stand there.
func checkWords(flags *pflag.FlagSet) error {
	for _, w := range []struct {
		flag, what, as string
		good           func(string) bool
	}{
		{"content-type", "content type", "text/plain", isMediaType},
		{"accept", "list of content types", "application/pidf+xml", isMediaRanges},
		{"accept-types", "list of content types", "text/plain,image/*", isMediaRanges},
		{"event", "event package", "presence", client.IsToken},
		{"if-match", "entity-tag", "ETAG, as publish printed it", client.IsToken},
	} {
		flag := flags.Lookup(w.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		value := flag.Value.String()
		if list, is := flag.Value.(pflag.SliceValue); is {
			value = strings.Join(list.GetSlice(), ",")
		}
		if value != "" && !w.good(value) {
			return usage("as in --"+w.flag+" "+w.as, "--%s: %q is no %s", w.flag, value, w.what)
		}
	}
	return nil
}

func isMediaType(s string) bool {
	essence, _, err := mime.ParseMediaType(s)
	kind, sort, ok := strings.Cut(essence, "/")
	return err == nil && ok && client.IsToken(kind) && client.IsToken(sort) && !strings.ContainsAny(s, "\r\n")
}

// isMediaRanges: types, type/* (RFC 3261 section 20.1), and * for all (RFC 4975
// section 8.6).
func isMediaRanges(s string) bool {
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one != "*" && !isMediaType(one) {
			return false
		}
	}
	return true
}
