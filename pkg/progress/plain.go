package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// plainSink writes a line for each thing worth a line in a log: no counters, no repainting.
type plainSink struct {
	w    io.Writer
	opts Options
}

func (p *plainSink) note(level Level, text string) {
	fmt.Fprintln(p.w, noteLine(p.opts.Palette, level, text))
}

func (p *plainSink) changed(s *Step, what change) {
	switch what {
	case began:
		fmt.Fprintf(p.w, "  … %s\n", output.Escape(s.title))
	case updated:
		fmt.Fprintf(p.w, "    %s: %s\n", output.Escape(s.title), output.Escape(s.message))
	case ended:
		fmt.Fprintln(p.w, endLine(p.opts.Palette, s))
	case counted:
	}
}

func (p *plainSink) close() {}

func noteLine(p iostreams.Palette, level Level, text string) string {
	text = output.Escape(text)
	if level == Warning {
		return p.Paint(iostreams.Notice, "warning: ") + text
	}
	return text
}

func endLine(p iostreams.Palette, s *Step) string {
	mark := p.Paint(iostreams.Good, "✓")
	switch s.state {
	case Failed:
		mark = p.Paint(iostreams.Bad, "✗")
	case Skipped:
		mark = p.Paint(iostreams.Faint, "–")
	case Running, Done:
	}
	line := "  " + mark + " " + output.Escape(s.title)
	if s.message != "" {
		line += ": " + output.Escape(s.message)
	}
	if took := s.ended.Sub(s.started); took >= time.Second {
		line += p.Paint(iostreams.Faint, " ("+Elapsed(took)+")")
	}
	return line
}

// Elapsed shows a duration as a person reads it: 4.2s, 38s, 4m18s, 2h05m.
func Elapsed(d time.Duration) string {
	const tenth = 100 * time.Millisecond
	if d = d.Round(tenth); d < 10*time.Second { // rounded first: 9.99s is 10s, and 59.9s is 1m00s
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// Size shows a number of bytes in binary units.
func Size(n int64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		value /= step
		if value < step-0.5 { // what would be shown as 1024 belongs to the next unit
			break
		}
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

// event is one line of the JSON mode.
type event struct {
	Time    time.Time `json:"time"`
	Level   Level     `json:"level"`
	Event   string    `json:"event"`
	Step    string    `json:"step,omitempty"`
	Title   string    `json:"title,omitempty"`
	State   State     `json:"state,omitempty"`
	Message string    `json:"message,omitempty"`
	Done    int64     `json:"done,omitempty"`
	Total   int64     `json:"total,omitempty"`
	Unit    Unit      `json:"unit,omitempty"`
}

// jsonSink writes an object a line. Counts are told at most once a second for each step.
type jsonSink struct {
	w       io.Writer
	opts    Options
	counted map[*Step]time.Time
}

func (j *jsonSink) note(level Level, text string) {
	j.write(event{Time: j.opts.Now().UTC(), Level: level, Event: "note", Message: text})
}

func (j *jsonSink) changed(s *Step, what change) {
	now := j.opts.Now()
	switch what {
	case counted:
		if now.Sub(j.counted[s]) < time.Second {
			return
		}
		if j.counted == nil {
			j.counted = map[*Step]time.Time{}
		}
		j.counted[s] = now
	case ended:
		delete(j.counted, s)
	case began, updated:
	}
	e := event{
		Time: now.UTC(), Level: Info, Event: "step", Step: s.id, Title: s.title, State: s.state, Message: s.message,
		Done: s.done, Total: s.total, Unit: s.unit,
	}
	if s.state == Failed {
		e.Level = Warning
	}
	j.write(e)
}

func (j *jsonSink) close() {}

func (j *jsonSink) write(e event) {
	b, err := json.Marshal(e)
	if err != nil {
		return // times and strings always marshal
	}
	_, _ = j.w.Write(append(b, '\n')) // a narrative that cannot be written must not end the work
}
