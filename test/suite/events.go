package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// count counts tests and subtests, as `go test -v` lists them.
type count struct{ passed, failed, skipped int }

func (c *count) add(other count) {
	c.passed += other.passed
	c.failed += other.failed
	c.skipped += other.skipped
}

// String is the closing line. What was skipped is said, so that it cannot hide.
func (c count) String() string {
	text := fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		text += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return text
}

// event is a line of `go test -json` (cmd/test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// reader turns the events of one `go test` into what a person wants to see: the closing line of each package, and the
// whole output of each test that failed.
type reader struct {
	out     io.Writer
	verbose bool
	count   count
	// held is the output of tests that have not ended, and of packages, by package and test.
	held map[[2]string]*strings.Builder
	// failures counts failed tests of a package: one that fails without any failed in its build or set-up.
	failures map[string]int
}

func newReader(out io.Writer, verbose bool) *reader {
	return &reader{out: out, verbose: verbose, held: map[[2]string]*strings.Builder{}, failures: map[string]int{}}
}

func (r *reader) read(from io.Reader) (count, error) {
	err := lines(from, func(line []byte) {
		var e event
		if json.Unmarshal(line, &e) != nil { // what go prints before it can write events
			_, _ = r.out.Write(line)
			return
		}
		r.take(e)
	})
	return r.count, err
}

func (r *reader) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.held[key] == nil {
			r.held[key] = &strings.Builder{}
		}
		r.held[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		r.end(e, key)
	}
}

func (r *reader) end(e event, key [2]string) {
	output := ""
	if held := r.held[key]; held != nil {
		output = held.String()
		delete(r.held, key)
	}
	if e.Test == "" {
		r.endPackage(e, output)
		return
	}
	switch e.Action {
	case "pass":
		r.count.passed++
	case "skip":
		r.count.skipped++
	case "fail":
		r.count.failed++
		r.failures[e.Package]++
		fmt.Fprint(r.out, output)
		return
	}
	if r.verbose && !strings.Contains(e.Test, "/") {
		fmt.Fprint(r.out, closing(output))
	}
}

// endPackage prints the closing line; all of what the package said where no test says why it failed.
func (r *reader) endPackage(e event, output string) {
	failed := e.Action == "fail"
	switch {
	case failed && r.failures[e.Package] == 0:
		r.count.failed++
		r.unfinished(e.Package)
		fmt.Fprint(r.out, output)
	case failed || strings.HasPrefix(lastLine(output), "ok"): // packages without tests are not told
		line, _, _ := strings.Cut(lastLine(output), "\tcoverage:") // of one package's tests alone; summed up later
		fmt.Fprintln(r.out, strings.TrimRight(line, "\n"))
	}
}

// unfinished prints what tests said that never ended, because the program was ended under them.
func (r *reader) unfinished(pkg string) {
	for key, held := range r.held {
		if key[0] == pkg && key[1] != "" {
			fmt.Fprint(r.out, held.String())
			delete(r.held, key)
		}
	}
}

// closing is the "--- PASS" line of a test's output.
func closing(output string) string {
	for line := range strings.SplitAfterSeq(output, "\n") {
		if strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return ""
}

func lastLine(output string) string {
	trimmed := strings.TrimRight(output, "\n")
	return trimmed[strings.LastIndexByte(trimmed, '\n')+1:] + "\n"
}
