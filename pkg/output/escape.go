package output

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes text from a volume or an API answer safe for a terminal: control and formatting characters (escape
// sequences, direction overrides) and bytes that are no UTF-8 are shown as Go writes them in a string literal.
func Escape(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := decode(s)
		if r >= 0 && printable(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

func isPlain(s string) bool {
	for _, r := range s {
		if r == unicode.ReplacementChar || !printable(r) {
			return false
		}
	}
	return true
}

func printable(r rune) bool { return unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) }

// decode is utf8.DecodeRuneInString with -1 for a byte that is no UTF-8.
func decode(s string) (rune, int) {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size <= 1 {
		return -1, 1
	}
	return r, size
}
