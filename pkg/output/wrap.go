package output

import (
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// narrowestWrap keeps words readable where the terminal is absurdly narrow; the line is then too long.
const narrowestWrap = 20

// bulletWidth is how wide what begins a line may be to have a long word beside it and not below it.
const bulletWidth = 2

func textWidth(s string) int { return twwidth.Width(s) }

// wrapText breaks text at spaces so that no line is wider than width; a longer word is cut. Width 0 means no limit.
// Lines of the text itself stay lines.
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
		for textWidth(word) > width { // a path or an ID that is longer than the column
			if used > bulletWidth {
				flush()
			}
			if used > 0 {
				current.WriteByte(' ')
				used++
			}
			head, tail := cut(word, width-used)
			current.WriteString(head)
			flush()
			word = tail
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

func cut(word string, width int) (head, tail string) {
	used := 0
	for i, r := range word {
		used += textWidth(string(r))
		if used > width && i > 0 {
			return word[:i], word[i:]
		}
	}
	return word, ""
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
