package output

import (
	"iter"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// narrowestWrap keeps words readable where the terminal is absurdly narrow; the line is then too long.
const narrowestWrap = 20

// bulletWidth is how wide what begins a line may be to have a long word beside it and not below it.
const bulletWidth = 2

func textWidth(s string) int { return twwidth.Width(s) }

// Wrap breaks text into lines of a width as tables and lines of a Document are broken; 0 means no limit.
func Wrap(text string, width int) []string { return wrapText(text, width) }

// wrapText breaks text at spaces, and longer words behind a slash or comma, so that no line is wider than width. What
// has none of these, an ID or a name, stays whole whatever its length: people copy it. Width 0 means no limit. Lines of
// the text itself stay lines.
func wrapText(text string, width int) []string {
	if width > 0 && width < narrowestWrap {
		width = narrowestWrap
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrapLine(Escape(line), width)...)
	}
	return lines
}

func wrapLine(line string, width int) []string {
	if width <= 0 || textWidth(line) <= width {
		return []string{line}
	}
	var (
		lines   []string
		current strings.Builder
		used    int
	)
	flush := func() {
		lines = append(lines, current.String())
		current.Reset()
		used = 0
	}
	for _, word := range strings.Fields(line) {
		for textWidth(word) > width { // a path or a list that is longer than the column
			if used > bulletWidth {
				flush()
			}
			if used > 0 {
				current.WriteByte(' ')
				used++
			}
			head, tail := cut(word, width-used)
			current.WriteString(head)
			used += textWidth(head)
			word = tail
			if tail == "" {
				break
			}
			flush()
		}
		if word == "" {
			continue
		}
		if used > 0 && used+1+textWidth(word) > width {
			flush()
		}
		if used > 0 {
			current.WriteByte(' ')
			used++
		}
		current.WriteString(word)
		used += textWidth(word)
	}
	if used > 0 {
		flush()
	}
	return lines
}

// cut cuts a word behind the last piece that fits, or behind the first when none does.
func cut(word string, width int) (head, tail string) {
	end := 0
	for piece := range pieces(word) {
		if end > 0 && textWidth(word[:end+len(piece)]) > width {
			break
		}
		end += len(piece)
	}
	return word[:end], word[end:]
}

// pieces are the parts of a word that stay whole: each ends with slashes or a comma.
func pieces(word string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		for i := 1; i < len(word); i++ {
			ends := word[i-1] == ',' || (word[i-1] == '/' && word[i] != '/')
			if ends {
				if !yield(word[start:i]) {
					return
				}
				start = i
			}
		}
		if start < len(word) {
			yield(word[start:])
		}
	}
}

// widestPiece is the width below which a text cannot be wrapped.
func widestPiece(text string) int {
	widest := 0
	for word := range strings.FieldsSeq(text) {
		for piece := range pieces(Escape(word)) {
			widest = max(widest, textWidth(piece))
		}
	}
	return widest
}

// wrapCells wraps a sequence of styled pieces as one running text.
func wrapCells(cells []Cell, width int) [][]Cell {
	var text strings.Builder
	for _, c := range cells {
		text.WriteString(c.Text)
	}
	if width <= 0 || (textWidth(text.String()) <= width && !strings.Contains(text.String(), "\n")) {
		return [][]Cell{escaped(cells)}
	}
	var rows [][]Cell
	rest := escaped(cells)
	for _, line := range wrapText(text.String(), width) {
		var row []Cell
		row, rest = take(rest, line)
		rows = append(rows, row)
	}
	return rows
}

func escaped(cells []Cell) []Cell {
	out := make([]Cell, len(cells))
	for i, c := range cells {
		out[i] = Cell{Text: Escape(c.Text), Style: c.Style}
	}
	return out
}

// take cuts the pieces that make up line off the front of cells, spaces that the wrapping dropped included.
func take(cells []Cell, line string) (row, rest []Cell) {
	for i, c := range cells {
		text := c.Text
		if len(row) == 0 {
			text = strings.TrimLeft(text, " ")
		}
		if text == "" {
			continue
		}
		if len(text) > len(line) {
			row = append(row, Cell{Text: line, Style: c.Style})
			return row, append([]Cell{{Text: text[len(line):], Style: c.Style}}, cells[i+1:]...)
		}
		row = append(row, Cell{Text: text, Style: c.Style})
		line = line[len(text):]
	}
	return row, nil
}
