// Package progress tells the person what a run is doing: steps and counters on a terminal, plain lines elsewhere, JSON
// events for programs, nothing when asked for quiet. It writes to the narrative stream only; results are not its
// business. All methods may be called from several goroutines, and on a nil *Reporter, which says nothing.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

// Mode is how progress is told.
type Mode string

// The modes.
const (
	Terminal Mode = "terminal" // steps under way are repainted at the bottom
	Plain    Mode = "plain"    // a line when a step begins, says something new, ends
	JSON     Mode = "json"     // an object a line
	Quiet    Mode = "quiet"    // nothing
)

// State is where a step stands.
type State string

// The states of a step.
const (
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Options say how to report.
type Options struct {
	Mode    Mode
	Palette iostreams.Palette
	// Width is the terminal's, asked for at every repaint.
	Width func() int
	// Now stamps JSON events and elapsed times.
	Now func() time.Time
}

// Reporter tells progress on one stream.
type Reporter struct {
	opts Options
	mu   sync.Mutex
	sink sink
}

// sink is one way of telling. Its methods are called with the Reporter's lock held.
type sink interface {
	note(level Level, text string)
	changed(s *Step, what change)
	close()
}

type change int

const (
	began change = iota
	updated
	counted
	ended
)

// Level is how much a note matters.
type Level string

// The levels.
const (
	Info    Level = "info"
	Warning Level = "warning"
)

// New returns a Reporter that writes to w.
func New(w io.Writer, opts Options) *Reporter {
	r := &Reporter{opts: opts}
	switch opts.Mode {
	case Terminal:
		r.sink = &terminalSink{w: w, opts: opts}
	case Plain:
		r.sink = &plainSink{w: w, opts: opts}
	case JSON:
		r.sink = &jsonSink{w: w, opts: opts}
	default:
		return nil
	}
	return r
}

// Infof tells a fact in one line.
func (r *Reporter) Infof(format string, args ...any) { r.note(Info, format, args...) }

// Warnf tells something the person should not miss.
func (r *Reporter) Warnf(format string, args ...any) { r.note(Warning, format, args...) }

func (r *Reporter) note(level Level, format string, args ...any) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink.note(level, fmt.Sprintf(format, args...))
}

// Close removes what is being repainted. The Reporter may still be used; steps under way are shown no more.
func (r *Reporter) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink.close()
}

// Step is one thing the run does. A nil *Step may be used; it says nothing.
type Step struct {
	r       *Reporter
	id      string
	title   string
	message string
	state   State
	done    int64
	total   int64
	unit    Unit
	started time.Time
	ended   time.Time
}

// Unit is what a step counts.
type Unit string

// The units.
const (
	Items Unit = "items"
	Bytes Unit = "bytes"
)

// Step begins a step. id names it in JSON events and need not be unique; title is for people.
func (r *Reporter) Step(id, title string) *Step {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &Step{r: r, id: id, title: title, state: Running, started: r.opts.Now()}
	r.sink.changed(s, began)
	return s
}

// Update says what the step is busy with or waits for. The same text again is not told again.
func (s *Step) Update(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.change(updated, func() bool {
		if s.message == text {
			return false
		}
		s.message = text
		return true
	})
}

// Count says how far the step is; total 0 means not known.
func (s *Step) Count(done, total int64, unit Unit) {
	s.change(counted, func() bool {
		s.done, s.total, s.unit = done, total, unit
		return true
	})
}

// Done ends the step well; the text (may be empty) says what came of it.
func (s *Step) Done(format string, args ...any) { s.end(Done, format, args...) }

// Fail ends the step badly.
func (s *Step) Fail(format string, args ...any) { s.end(Failed, format, args...) }

// Skip ends a step that was not needed or not possible; the text says why.
func (s *Step) Skip(format string, args ...any) { s.end(Skipped, format, args...) }

func (s *Step) end(state State, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.change(ended, func() bool {
		if s.state != Running {
			return false
		}
		s.state, s.message, s.ended = state, text, s.r.opts.Now()
		return true
	})
}

func (s *Step) change(what change, apply func() bool) {
	if s == nil {
		return
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if apply() {
		s.r.sink.changed(s, what)
	}
}
