package trace

import (
	"fmt"
	"regexp"
	"strings"
)

// Renamer replaces what differs from run to run by names in order of
// appearance: tags, branches, Call-IDs, nonces and their counts, entity-tags, names of
// publications, what a proxy wrote into its Record-Route, numbers of reliable
// responses, boundaries, identifiers of SDP and MSRP, ports and times. The same
// value gets the same name wherever it stands, so that two runs of one flow read
// alike.
type Renamer struct {
	names map[string]string // new by old, each with its kind before it
	count map[string]int
}

// NewRenamer has seen nothing.
func NewRenamer() *Renamer {
	return &Renamer{names: map[string]string{}, count: map[string]int{}}
}

// renameRule finds a value in its second group and leaves the first alone.
type renameRule struct {
	kind    string
	pattern *regexp.Regexp
}

// A time of day must come before ports: both follow a colon.
var renameRules = []renameRule{
	{"time", regexp.MustCompile(`()(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))`)},
	{"t", regexp.MustCompile(`(?m)(^ *)(\+\d+\.\d{3})\b`)},
	{"tag", regexp.MustCompile(`(?i)([;&?]tag=)([^\s;,>"]+)`)},
	{"branch", regexp.MustCompile(`(?i)(;branch=)([^\s;,>"]+)`)},
	{"call", regexp.MustCompile(`(?im)(^(?:Call-ID|i) *: *|"call_id":")([^\s"]+)`)},
	{"nonce", regexp.MustCompile(`(?i)(\bc?nonce=")([^"]+)`)},
	{"response", regexp.MustCompile(`(?i)(\bresponse=")([0-9a-f]{32,})`)},
	{"count", regexp.MustCompile(`(?i)(\bnc=)([0-9a-f]{8})\b`)},
	{"etag", regexp.MustCompile(`(?im)(^SIP-(?:ETag|If-Match) *: *)(\S+)`)},
	{"publication", regexp.MustCompile(`( publication=")([^"]+)`)},
	{"rseq", regexp.MustCompile(`(?im)(^(?:RSeq|RAck) *: *)(\d+)`)},
	{"boundary", regexp.MustCompile(`(?i)(;\s*boundary="?)([^\s;"]+)`)},
	{"boundary", regexp.MustCompile(`(?m)(^--)([\w'()+,./:=?]+?)(?:--)?\r?$`)},
	{"flow", regexp.MustCompile(`(?im)(^(?:Record-)?Route *: *<sips?:)([^\s@>]+)@`)},
	{"description", regexp.MustCompile(`(?m)(^o=\S+ )(\d+) `)},
	{"description", regexp.MustCompile(`(?m)(^o=\S+ \S+ )(\d+) `)},
	{"session", regexp.MustCompile(`(?i)(\bmsrps?://[^\s/;]+/)([^\s;/]+)`)},
	{"transaction", regexp.MustCompile(`(?m)(^MSRP |^-------|"start_line":"MSRP |"transaction":")([A-Za-z0-9.+%=-]{4,32}?)(?: |"|[$+#]\r?$)`)},
	{"message", regexp.MustCompile(`(?im)(^Message-ID *: *|"message_id":")([^\s"]+)`)},
	{"port", regexp.MustCompile(`((?:\d{1,3}\.){3}\d{1,3}:|\]:|[A-Za-z0-9-]\.[A-Za-z]+:)(\d{4,5})\b`)},
	{"port", regexp.MustCompile(`(?m)(^m=message )(\d{1,5})\b`)},
}

// Rename is text with its values renamed; values that were seen in earlier
// calls keep their names.
func (r *Renamer) Rename(text string) string {
	for _, rule := range renameRules {
		var b strings.Builder
		end := 0
		for _, at := range rule.pattern.FindAllStringSubmatchIndex(text, -1) {
			b.WriteString(text[end:at[4]])
			b.WriteString(r.name(rule.kind, text[at[4]:at[5]]))
			end = at[5]
		}
		text = b.String() + text[end:]
	}
	return text
}

func (r *Renamer) name(kind, old string) string {
	if kind == "port" && (old == "5060" || old == "5061") {
		return old // the standard ports mean something
	}
	key := kind + " " + old
	name, ok := r.names[key]
	if !ok {
		r.count[kind]++
		name = fmt.Sprintf("%s%d", kind, r.count[kind])
		if kind == "t" {
			name = fmt.Sprintf("%*s", len(old), name) // a ladder's column keeps its width
		}
		r.names[key] = name
	}
	return name
}
