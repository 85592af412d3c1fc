package output

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

// Document is what a person sees of a result: sections from top to bottom, an empty line between them.
type Document []Section

// Section is a titled table, or text, or both (text after the table). Empty sections are left out.
type Section struct {
	Title string
	Table *Table
	Lines []Line
}

// Line is one line of text. It is wrapped to the terminal; Indent spaces stand before every line it takes.
type Line struct {
	Indent int
	Cells  []Cell
}

// Table is a table with a header. Columns that no row fills are left out.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Column is one column's header. What does not fit a terminal is wrapped in the columns that have Wrap set, widest
// first, and nowhere else; where that is not enough, the columns that have Below set stand in lines below their row.
type Column struct {
	Name  string
	Right bool
	Wrap  bool
	Below bool
}

// Cell is a piece of text and what it means.
type Cell struct {
	Text  string
	Style iostreams.Style
}

// Columns makes columns from names. A name that begins with ">" is aligned to the right, one that begins with "~" may
// be wrapped, one that begins with "_" may stand below the row; several may begin a name, in this order.
func Columns(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, n := range names {
		columns[i] = Column{
			Name:  strings.TrimLeft(n, ">~_"),
			Right: strings.HasPrefix(n, ">"),
			Wrap:  strings.HasPrefix(n, "~"),
			Below: strings.HasPrefix(strings.TrimLeft(n, ">~"), "_"),
		}
	}
	return columns
}

// Row makes a table's row: a Cell stays as it is, anything else is shown as fmt.Sprint does.
func Row(values ...any) []Cell {
	cells := make([]Cell, len(values))
	for i, v := range values {
		cells[i] = cellOf(v)
	}
	return cells
}

// Text makes a line of what Row takes, joined without anything between.
func Text(values ...any) Line { return Line{Cells: Row(values...)} }

// Indented is Text with spaces before it.
func Indented(indent int, values ...any) Line { return Line{Indent: indent, Cells: Row(values...)} }

// Styled is a Cell in a style.
func Styled(style iostreams.Style, text string) Cell { return Cell{Text: text, Style: style} }

func cellOf(v any) Cell {
	switch v := v.(type) {
	case Cell:
		return v
	case string:
		return Cell{Text: v}
	default:
		return Cell{Text: fmt.Sprint(v)}
	}
}

// write renders the document, lines to a width and tables to one of their own. Width 0 means no limit.
func (d Document) write(w *bytes.Buffer, width, tables int, p iostreams.Palette) error {
	first := true
	for _, s := range d {
		if (s.Table == nil || len(s.Table.Rows) == 0) && len(s.Lines) == 0 {
			continue
		}
		if !first {
			w.WriteByte('\n')
		}
		first = false
		if s.Title != "" {
			fmt.Fprintln(w, p.Paint(iostreams.Strong, Escape(s.Title)))
		}
		if s.Table != nil && len(s.Table.Rows) > 0 {
			if err := s.Table.write(w, tables, p); err != nil {
				return err
			}
		}
		for _, l := range s.Lines {
			l.write(w, width, p)
		}
	}
	return nil
}

func (l Line) write(w *bytes.Buffer, width int, p iostreams.Palette) {
	indent := strings.Repeat(" ", l.Indent)
	for i, row := range wrapCells(l.Cells, width-l.Indent) {
		if i > 0 || len(row) > 0 {
			w.WriteString(indent)
		}
		for _, c := range row {
			w.WriteString(p.Paint(c.Style, c.Text))
		}
		w.WriteByte('\n')
	}
}
