// Package iostreams owns the three standard streams of a run and what is known of them: whether they are terminals,
// how wide, and whether colour is wanted. It knows nothing of commands or of what is written.
package iostreams

import (
	"bytes"
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// narrowest is the width taken for a terminal that does not tell its own.
const narrowest = 80

// Streams are the standard streams. The zero value of the booleans means "no terminal", as in a pipe.
type Streams struct {
	// In is what the person types; Out carries the result; ErrOut carries the narrative.
	In     io.Reader
	Out    io.Writer
	ErrOut io.Writer

	InTTY, OutTTY, ErrTTY bool

	// Colour tells whether colour may be used on terminals at all (NO_COLOR, TERM=dumb and --color decide).
	Colour Colour

	width func() int
}

// Colour is when to use colour.
type Colour string

// The choices of --color.
const (
	ColourAuto   Colour = "auto"
	ColourAlways Colour = "always"
	ColourNever  Colour = "never"
)

// System returns the process' own streams.
func System() *Streams {
	s := &Streams{
		In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		Colour: ColourAuto,
		width:  systemWidth,
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		s.Colour = ColourNever
	}
	return s
}

func systemWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return narrowest
}

// Test returns streams over buffers, none of them a terminal.
func Test() (s *Streams, in, out, errOut *bytes.Buffer) {
	in, out, errOut = &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
	return &Streams{In: in, Out: out, ErrOut: errOut, Colour: ColourAuto}, in, out, errOut
}

// SetTerminal makes all three streams terminals of the given width, for tests of what a person sees.
func (s *Streams) SetTerminal(columns int) {
	s.InTTY, s.OutTTY, s.ErrTTY = true, true, true
	s.width = func() int { return columns }
}

// Width is the number of columns that text on a terminal may take.
func (s *Streams) Width() int {
	if s.width == nil {
		return narrowest
	}
	return s.width()
}

// CanPrompt tells whether a question would reach a person and an answer would come from one.
func (s *Streams) CanPrompt() bool { return s.InTTY && s.ErrTTY }

// OutPalette colours what goes to Out.
func (s *Streams) OutPalette() Palette { return Palette{Enabled: s.colours(s.OutTTY)} }

// ErrPalette colours what goes to ErrOut.
func (s *Streams) ErrPalette() Palette { return Palette{Enabled: s.colours(s.ErrTTY)} }

func (s *Streams) colours(tty bool) bool {
	switch s.Colour {
	case ColourAlways:
		return true
	case ColourNever:
		return false
	default:
		return tty
	}
}
