package progress

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const (
	repaintEvery = 100 * time.Millisecond
	barWidth     = 20
	mostSteps    = 12 // steps under way that are painted; the others are counted in one line
)

// terminalSink keeps the steps under way painted below everything else. Ended steps and notes scroll up above them.
type terminalSink struct {
	w       io.Writer
	opts    Options
	active  []*Step
	painted int // lines on the screen that will be painted over
	last    time.Time
	closed  bool
}

func (t *terminalSink) note(level Level, text string) {
	t.repaint(noteLine(t.opts.Palette, level, text))
}

func (t *terminalSink) changed(s *Step, what change) {
	switch what {
	case began:
		t.active = append(t.active, s)
		t.repaint("")
	case ended:
		t.active = slices.DeleteFunc(t.active, func(a *Step) bool { return a == s })
		t.repaint(endLine(t.opts.Palette, s))
	case updated:
		t.repaint("")
	case counted:
		if t.opts.Now().Sub(t.last) >= repaintEvery {
			t.repaint("")
		}
	}
}

func (t *terminalSink) close() {
	t.active, t.closed = nil, true
	t.repaint("")
}

// repaint erases what is painted, writes above (when not empty) for good, and paints the steps under way anew, all in
// one write so that nothing flickers.
func (t *terminalSink) repaint(above string) {
	var b bytes.Buffer
	if t.painted > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", t.painted)
	}
	t.painted = 0
	if above != "" {
		b.WriteString(above + "\n")
	}
	if !t.closed {
		for _, line := range t.lines() {
			b.WriteString(line + "\n")
			t.painted++
		}
	}
	t.last = t.opts.Now()
	_, _ = b.WriteTo(t.w) // a narrative that cannot be written must not end the work
}

func (t *terminalSink) lines() []string {
	var lines []string
	shown := t.active
	if len(shown) > mostSteps {
		shown = shown[:mostSteps]
	}
	for _, s := range shown {
		lines = append(lines, t.line(s))
	}
	if more := len(t.active) - len(shown); more > 0 {
		lines = append(lines, t.opts.Palette.Paint(iostreams.Faint, fmt.Sprintf("  … and %d more", more)))
	}
	return lines
}

// line is never wider than the terminal: a wrapped line would be painted over wrongly.
func (t *terminalSink) line(s *Step) string {
	parts := []string{output.Escape(s.title)}
	if bar := barOf(s); bar != "" {
		parts = append(parts, bar)
	}
	if s.message != "" {
		parts = append(parts, output.Escape(s.message))
	}
	if took := t.opts.Now().Sub(s.started); took >= time.Second {
		parts = append(parts, Elapsed(took))
	}
	return "  … " + truncate(strings.Join(parts, "  "), t.opts.Width()-len("  . ")-1)
}

// truncate cuts text to a number of columns; a character may take two of them.
func truncate(s string, width int) string {
	if width < 1 || twwidth.Width(s) <= width {
		return s
	}
	used := 0
	for i, r := range s {
		used += twwidth.Width(string(r))
		if used > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

func barOf(s *Step) string {
	if s.total <= 0 {
		switch {
		case s.done == 0:
			return ""
		case s.unit == Bytes:
			return Size(s.done)
		default:
			return fmt.Sprint(s.done)
		}
	}
	share := min(float64(s.done)/float64(s.total), 1)
	full := int(share * barWidth)
	count := fmt.Sprintf("%d/%d", s.done, s.total)
	if s.unit == Bytes {
		count = Size(s.done) + "/" + Size(s.total)
	}
	return "[" + strings.Repeat("█", full) + strings.Repeat("·", barWidth-full) + "] " + count
}
