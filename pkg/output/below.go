package output

import "strings"

// belowIndent is how far what stands below a row is moved in.
const belowIndent = 4

// split takes the columns that may stand below their row out of a table that does not fit a width. Without any, or
// where the table fits, below is nil.
func split(columns []Column, rows [][]Cell, width int) (kept []Column, keptRows [][]Cell, below [][]string) {
	if width <= 0 || !anyBelow(columns) || narrowest(columns, rows) <= width {
		return columns, rows, nil
	}
	for _, c := range columns {
		if !c.Below {
			kept = append(kept, c)
		}
	}
	for _, row := range rows {
		var stays []Cell
		var pieces []string
		for c, cell := range row {
			switch {
			case !columns[c].Below:
				stays = append(stays, cell)
			case cell.Text != "":
				pieces = append(pieces, strings.ToLower(columns[c].Name)+" "+cell.Text)
			}
		}
		keptRows, below = append(keptRows, stays), append(below, belowLines(pieces, width-belowIndent))
	}
	return kept, keptRows, below
}

func anyBelow(columns []Column) bool {
	for _, c := range columns {
		if c.Below {
			return true
		}
	}
	return false
}

// narrowest is the width of a table whose columns are as narrow as they can be.
func narrowest(columns []Column, rows [][]Cell) int {
	total := columnGap * (len(columns) - 1)
	natural, least := columnWidths(columns, rows)
	for c, column := range columns {
		if column.Wrap {
			total += min(natural[c], least[c])
		} else {
			total += natural[c]
		}
	}
	return total
}

// belowLines puts as many pieces on a line as fit, and breaks those that are longer than a line.
func belowLines(pieces []string, width int) []string {
	var lines []string
	gap := strings.Repeat(" ", columnGap)
	for _, p := range pieces {
		wrapped := wrapText(p, width)
		last := len(lines) - 1
		if last >= 0 && len(wrapped) == 1 && textWidth(lines[last])+columnGap+textWidth(wrapped[0]) <= width {
			lines[last] += gap + wrapped[0]
			continue
		}
		lines = append(lines, wrapped...)
	}
	return lines
}

// interleave puts what stands below each row behind the lines that the row takes.
func interleave(lines []string, header int, heights []int, below [][]string) []string {
	if below == nil {
		return lines
	}
	out := append([]string(nil), lines[:header]...)
	at := header
	for i, h := range heights {
		out = append(out, lines[at:at+h]...)
		at += h
		for _, l := range below[i] {
			out = append(out, strings.Repeat(" ", belowIndent)+l)
		}
	}
	return out
}
