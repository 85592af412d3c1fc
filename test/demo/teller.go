package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// teller writes the narrative: numbered steps, commands as they would be typed, and what they print.
type teller struct {
	out   io.Writer
	color bool
	steps int
}

func (t *teller) paint(code, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (t *teller) step(title string) {
	t.steps++
	fmt.Fprintf(t.out, "\n%s\n", t.paint("1;36", fmt.Sprintf("%d. %s", t.steps, title)))
}

func (t *teller) say(format string, args ...any) {
	fmt.Fprintf(t.out, "   %s\n", fmt.Sprintf(format, args...))
}

func (t *teller) command(name string, args ...string) {
	fmt.Fprintln(t.out, t.paint("1", "$ "+name+" "+strings.Join(args, " ")))
}

// same reports one comparison, and returns an error when it does not hold.
func (t *teller) same(what string, holds bool, value string) error {
	if !holds {
		t.say("%s %s: %s", t.paint("31", "differs"), what, value)
		return fmt.Errorf("the %s differs", what)
	}
	t.say("%s %s: %s", t.paint("32", "same"), what, value)
	return nil
}

// indented is for the narrative of what the demo stands on.
func (t *teller) indented() io.Writer { return &indenter{t.out} }

type indenter struct{ out io.Writer }

// Write indents every line of p; those who write here write whole lines.
func (i *indenter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if _, err := fmt.Fprintf(i.out, "   %s", line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
