package output

import (
	"bytes"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

const columnGap = 3 // as kubectl's

// write renders the table without frames. Width 0 means no limit.
func (t *Table) write(w *bytes.Buffer, width int, p iostreams.Palette) error {
	columns, rows := t.filled()
	columns, rows, below := split(columns, rows, width)
	heights := make([]int, len(rows))
	lines := make([][][]string, len(rows))
	limits := columnLimits(columns, rows, width)
	for i, row := range rows {
		lines[i] = make([][]string, len(columns))
		for c := range columns {
			lines[i][c] = wrapText(row[c].Text, limits[c])
		}
	}
	var raw bytes.Buffer
	tw := newWriter(&raw, columns)
	header, named := make([]string, len(columns)), false
	for i, c := range columns {
		header[i] = p.Paint(iostreams.Strong, c.Name)
		named = named || c.Name != ""
	}
	headers := 0
	if named {
		headers = 1
		tw.Header(header)
	}
	for i, row := range rows {
		printed := physical(row, lines[i], p)
		heights[i] = len(printed)
		for _, line := range printed {
			if err := tw.Append(line); err != nil {
				return err
			}
		}
	}
	if err := tw.Render(); err != nil {
		return err
	}
	if raw.Len() == 0 {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(raw.String(), "\n"), "\n")
	for _, line := range interleave(all, headers, heights, below) {
		w.WriteString(trimEnd(line))
		w.WriteByte('\n')
	}
	return nil
}

// trimEnd drops the padding of the last column, which the table writer closes with a reset of its own after colour.
func trimEnd(line string) string {
	const reset = "\x1b[0m"
	trimmed := strings.TrimRight(strings.TrimSuffix(line, reset), " ")
	if strings.HasSuffix(line, reset) && !strings.HasSuffix(trimmed, reset) {
		trimmed += reset
	}
	return trimmed
}

// physical turns one row of wrapped cells into as many lines as its tallest cell has.
func physical(row []Cell, wrapped [][]string, p iostreams.Palette) [][]string {
	height := 1
	for _, lines := range wrapped {
		height = max(height, len(lines))
	}
	out := make([][]string, height)
	for h := range out {
		out[h] = make([]string, len(row))
		for c := range row {
			if h < len(wrapped[c]) {
				out[h][c] = p.Paint(row[c].Style, wrapped[c][h])
			}
		}
	}
	return out
}

// filled drops the columns in which no row has text, and makes every row as long as the header.
func (t *Table) filled() ([]Column, [][]Cell) {
	var keep []int
	for c := range t.Columns {
		for _, row := range t.Rows {
			if c < len(row) && row[c].Text != "" {
				keep = append(keep, c)
				break
			}
		}
	}
	columns := make([]Column, len(keep))
	rows := make([][]Cell, len(t.Rows))
	for i, c := range keep {
		columns[i] = t.Columns[c]
	}
	for r, row := range t.Rows {
		rows[r] = make([]Cell, len(keep))
		for i, c := range keep {
			if c < len(row) {
				rows[r][i] = row[c]
			}
		}
	}
	return columns, rows
}

// columnLimits shares a width out: columns that may wrap give way, the widest first, until the table fits or each is as
// narrow as its longest name. Zero means that a column is not limited.
func columnLimits(columns []Column, rows [][]Cell, width int) []int {
	natural, least := columnWidths(columns, rows)
	total := columnGap * (len(columns) - 1)
	for _, n := range natural {
		total += n
	}
	limits := make([]int, len(columns))
	for width > 0 && total > width {
		widest := -1
		for c, column := range columns {
			if column.Wrap && natural[c] > least[c] && (widest < 0 || natural[c] > natural[widest]) {
				widest = c
			}
		}
		if widest < 0 {
			break
		}
		natural[widest]--
		limits[widest] = natural[widest]
		total--
	}
	return limits
}

// columnWidths are the widths that columns take by themselves, and those below which they cannot be wrapped.
func columnWidths(columns []Column, rows [][]Cell) (natural, least []int) {
	natural, least = make([]int, len(columns)), make([]int, len(columns))
	for c, column := range columns {
		natural[c] = textWidth(column.Name)
		least[c] = max(natural[c], narrowestWrap)
		for _, row := range rows {
			for line := range strings.SplitSeq(row[c].Text, "\n") {
				natural[c] = max(natural[c], textWidth(Escape(line)))
				least[c] = max(least[c], widestPiece(line))
			}
		}
	}
	return natural, least
}

func newWriter(w *bytes.Buffer, columns []Column) *tablewriter.Table {
	align := make([]tw.Align, len(columns))
	for i, c := range columns {
		align[i] = tw.AlignLeft
		if c.Right {
			align[i] = tw.AlignRight
		}
	}
	none := tw.Rendition{
		Borders: tw.BorderNone,
		Symbols: tw.NewSymbolCustom("none").WithColumn(""),
		Settings: tw.Settings{
			Separators: tw.SeparatorsNone,
			Lines:      tw.LinesNone,
		},
	}
	cells := func(format tw.State) tw.CellConfig {
		return tw.CellConfig{
			Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: format},
			Alignment:  tw.CellAlignment{Global: tw.AlignLeft, PerColumn: align},
			Padding: tw.CellPadding{
				Global: tw.Padding{Left: tw.Empty, Right: strings.Repeat(" ", columnGap), Overwrite: true},
			},
		}
	}
	return tablewriter.NewTable(w,
		tablewriter.WithRenderer(renderer.NewBlueprint(none)),
		tablewriter.WithConfig(tablewriter.Config{
			Header:   cells(tw.Off),
			Row:      cells(tw.Off),
			Behavior: tw.Behavior{TrimSpace: tw.Off},
		}))
}
