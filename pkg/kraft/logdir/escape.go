package logdir

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a name from a disk safe to show: everything that is not printable (control characters, terminal
// escapes, bidirectional marks, bytes that are no UTF-8) and the backslash become Go escapes, so that different names
// never look alike and no name moves the cursor. Names Kafka makes come back unchanged.
func Escape(name string) string {
	return escape(name, func(r rune) bool { return r != '\\' && shown(r) })
}

// EscapeText makes a sentence safe to show as Escape does a name, but leaves backslashes alone: a sentence may quote
// names that were escaped before.
func EscapeText(text string) string { return escape(text, shown) }

func escape(name string, plain func(rune) bool) string {
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	var sb strings.Builder
	for i, r := range name {
		switch {
		case plain(r):
			sb.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)):
			fmt.Fprintf(&sb, `\x%02x`, name[i])
		case r == '\\':
			sb.WriteString(`\\`)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&sb, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&sb, `\U%08x`, r)
		default:
			fmt.Fprintf(&sb, `\u%04x`, r)
		}
	}
	return sb.String()
}

func shown(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
