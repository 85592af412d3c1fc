package iostreams

// Style is what a piece of text means; the palette decides how that looks.
type Style int

// The styles. What is coloured is always said in words as well.
const (
	Plain Style = iota
	Strong
	Faint
	Good
	Notice
	Bad
	Worst
)

// Palette colours text. The zero value returns text as it is, so tests need not strip anything.
type Palette struct{ Enabled bool }

// Paint returns text in a style.
func (p Palette) Paint(style Style, text string) string {
	if !p.Enabled || text == "" {
		return text
	}
	code := ""
	switch style {
	case Strong:
		code = "1"
	case Faint:
		code = "2"
	case Good:
		code = "32"
	case Notice:
		code = "33"
	case Bad:
		code = "31"
	case Worst:
		code = "1;31"
	case Plain:
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
