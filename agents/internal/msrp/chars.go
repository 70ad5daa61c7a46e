package msrp

import "strings"

// The character classes of RFC 4975 section 9 and RFC 3986 appendix A.

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isAlphanum(c byte) bool { return isDigit(c) || isUpper(c) || 'a' <= c && c <= 'z' }

func isUnreserved(c byte) bool { return isAlphanum(c) || strings.IndexByte("-._~", c) >= 0 }

func isSessionChar(c byte) bool { return isUnreserved(c) || c == '+' || c == '=' || c == '/' }

func isHostChar(c byte) bool { return isUnreserved(c) || strings.IndexByte("%!$&'()*+,=", c) >= 0 }

func isUserChar(c byte) bool { return isHostChar(c) || c == ':' }

func isTokenChar(c byte) bool {
	return isAlphanum(c) || strings.IndexByte("!#$%&'*+-.^_`{|}~", c) >= 0
}

func isToken(s string) bool { return s != "" && all(s, isTokenChar) }

func isIdentChar(c byte) bool { return isAlphanum(c) || strings.IndexByte(".-+%=", c) >= 0 }

// isIdent: a transaction identifier or Message-ID, 4 to 32 characters.
func isIdent(s string) bool {
	return len(s) >= 4 && len(s) <= 32 && isAlphanum(s[0]) && all(s, isIdentChar)
}

// isText: utf8text; UTF-8 is not verified, control characters are refused.
func isText(s string) bool {
	return all(s, func(c byte) bool { return c >= 0x20 && c != 0x7f || c == '\t' })
}
