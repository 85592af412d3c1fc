package logdir

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a name from a disk safe to show: everything that is not printable – control characters, terminal
// escapes, bidirectional marks, bytes that are no UTF-8 – and the backslash become Go escapes, so that different names
// never look alike and no name moves the cursor. Names Kafka makes come back unchanged.
func Escape(name string) string {
	plain := true
	for _, r := range name {
		if !shown(r) {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	var sb strings.Builder
	for i, r := range name {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)):
			fmt.Fprintf(&sb, `\x%02x`, name[i])
		case r == '\\':
			sb.WriteString(`\\`)
		case shown(r):
			sb.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&sb, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&sb, `\U%08x`, r)
		default:
			fmt.Fprintf(&sb, `\u%04x`, r)
		}
	}
	return sb.String()
}

func shown(r rune) bool {
	return r != '\\' && r != utf8.RuneError && unicode.IsPrint(r)
}
