package file

import (
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a name, in bytes: file systems take 255, and there may be a
// number to add.
const maxName = 200

// SafeName makes of a name that a peer chose one that names a file in a folder
// and nothing else, here or on another system: no path, nothing invisible, no
// leading dot or hyphen, no device. Never empty.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1 // the direction of writing among them, which hides an ending
		case strings.ContainsRune(`:*?"<>|`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimSpace(name), ". ") // which some systems drop
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		name = "_" + name[1:] // hidden, or an option to a command
	}
	switch base, _, _ := strings.Cut(name, "."); {
	case name == "":
		return "file"
	case isDevice(strings.TrimSpace(base)):
		name = "_" + name
	}
	if len(name) > maxName {
		ending := path.Ext(name)
		if len(ending) > 20 {
			ending = ""
		}
		cut := maxName - len(ending)
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + ending
	}
	return name
}

// isDevice: what Windows takes for a device, whatever ending it has.
func isDevice(base string) bool {
	base = strings.ToUpper(base)
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, is := strings.CutPrefix(base, "COM")
	if !is {
		number, is = strings.CutPrefix(base, "LPT")
	}
	return is && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}

// Numbered is the name for the nth file of a name: "x.txt", "x (2).txt".
func Numbered(name string, n int) string {
	if n < 2 {
		return name
	}
	ending := path.Ext(name)
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ending), n, ending)
}

// encode is a name in quotes: what may not stand there is percent-encoded, and
// what might be taken for a folder (RFC 5547 section 6).
func encode(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c == 0x7f || strings.IndexByte(`"%/\`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// decode leaves a percent sign that encodes nothing.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
