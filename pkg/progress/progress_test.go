package progress_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newReporter(mode progress.Mode, width int) (*progress.Reporter, *bytes.Buffer, *clock) {
	var out bytes.Buffer
	c := &clock{now: time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC)}
	return progress.New(&out, progress.Options{Mode: mode, Width: func() int { return width }, Now: c.Now}), &out, c
}

// story is one run with everything a reporter can be told.
func story(r *progress.Reporter, c *clock) {
	r.Infof("reading %d claims", 2)
	one := r.Step("claim", "pvc/one")
	two := r.Step("claim", "pvc/two\x1b[31m")
	one.Update("waiting for a node")
	one.Update("waiting for a node")
	one.Count(1, 4, progress.Items)
	c.pass(4200 * time.Millisecond)
	one.Done("12 files")
	one.Fail("ended already")
	two.Fail("no image")
	r.Step("guard", "quota").Skip("you may not create one")
	r.Warnf("the API server says: %s", "bad\x1b[2J")
	r.Close()
}

func TestPlain(t *testing.T) {
	t.Parallel()
	r, out, c := newReporter(progress.Plain, 80)
	story(r, c)
	const want = `reading 2 claims
  … pvc/one
  … pvc/two\x1b[31m
    pvc/one: waiting for a node
  ✓ pvc/one: 12 files (4.2s)
  ✗ pvc/two\x1b[31m: no image (4.2s)
  … quota
  – quota: you may not create one
warning: the API server says: bad\x1b[2J
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r, out, c := newReporter(progress.JSON, 80)
	story(r, c)
	var got []string
	for line := range strings.Lines(out.String()) {
		var e struct{ Time, Level, Event, Step, Title, State, Message string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q is no JSON: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, e.Time); err != nil {
			t.Errorf("%q has no time: %v", line, err)
		}
		got = append(got, strings.Join([]string{e.Level, e.Event, e.Step, e.State, e.Message}, "|"))
	}
	want := []string{
		"info|note|||reading 2 claims", "info|step|claim|running|", "info|step|claim|running|",
		"info|step|claim|running|waiting for a node", "info|step|claim|running|waiting for a node",
		"info|step|claim|done|12 files", "warning|step|claim|failed|no image", "info|step|guard|running|",
		"info|step|guard|skipped|you may not create one", "warning|note|||the API server says: bad\x1b[2J",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("an escape sequence reached the stream")
	}
}

func TestJSONCountsAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	r, out, c := newReporter(progress.JSON, 80)
	s := r.Step("read", "reading")
	out.Reset()
	for i := range 30 { // three seconds
		s.Count(int64(i), 30, progress.Bytes)
		c.pass(100 * time.Millisecond)
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("want 3 lines in three seconds, got %d", n)
	}
}

func TestQuietAndNil(t *testing.T) {
	t.Parallel()
	r, out, c := newReporter(progress.Quiet, 80)
	story(r, c) // a nil Reporter and nil steps must do
	if out.Len() > 0 {
		t.Errorf("told %q", out)
	}
}

// screen replays what a terminal would show: lines, and the cursor moves that the reporter uses.
func screen(t *testing.T, written string) []string {
	t.Helper()
	var lines []string
	for written != "" {
		var up int
		if n, _ := fmt.Sscanf(written, "\x1b[%dA\r\x1b[J", &up); n == 1 {
			if up > len(lines) {
				t.Fatalf("erases %d of %d lines", up, len(lines))
			}
			lines = lines[:len(lines)-up]
			written = written[strings.Index(written, "\x1b[J")+len("\x1b[J"):]
			continue
		}
		line, rest, found := strings.Cut(written, "\n")
		if !found || strings.Contains(line, "\x1b") {
			t.Fatalf("not a whole line: %q", line)
		}
		lines, written = append(lines, line), rest
	}
	return lines
}

func TestTerminalKeepsWhatIsUnderWayAtTheBottom(t *testing.T) {
	t.Parallel()
	r, out, c := newReporter(progress.Terminal, 60)
	one := r.Step("claim", "pvc/one")
	two := r.Step("claim", "pvc/two")
	r.Infof("a note")
	one.Update("waiting")
	c.pass(2 * time.Second)
	two.Count(1, 4, progress.Items)
	want := []string{
		"a note", "  … pvc/one  waiting  2.0s", "  … pvc/two  [█████···············] 1/4  2.0s",
	}
	if diff := cmp.Diff(want, screen(t, out.String())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	before := out.Len()
	two.Count(2, 4, progress.Items) // no time has passed
	if out.Len() != before {
		t.Error("counters must not repaint faster than can be seen")
	}
	one.Done("")
	r.Close()
	if diff := cmp.Diff([]string{"a note", "  ✓ pvc/one (2.0s)"}, screen(t, out.String())); diff != "" {
		t.Errorf("what is closed leaves what ended alone (-want +got):\n%s", diff)
	}
	two.Done("late")
	if got := screen(t, out.String()); got[len(got)-1] != "  ✓ pvc/two: late (2.0s)" {
		t.Errorf("a step that ends after closing is told, got %q", got)
	}
}

func TestTerminalLinesNeverWrap(t *testing.T) {
	t.Parallel()
	const width = 40
	r, out, c := newReporter(progress.Terminal, width)
	r.Step("a", strings.Repeat("long ", 20)).Update("%s", strings.Repeat("x", 100))
	r.Step("b", strings.Repeat("日本", 20))
	c.pass(time.Hour)
	r.Step("c", "short")
	for _, line := range screen(t, out.String()) {
		columns := 0
		for _, ch := range line {
			columns++
			if ch > 0x2fff { // East Asian wide characters take two columns (Unicode UAX 11)
				columns++
			}
		}
		if columns >= width {
			t.Errorf("%q takes %d of %d columns: it would be painted over wrongly", line, columns, width)
		}
	}
}

func TestTerminalCountsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	r, out, _ := newReporter(progress.Terminal, 80)
	for i := range 20 {
		r.Step("claim", fmt.Sprintf("pvc/%02d", i))
	}
	lines := screen(t, out.String())
	if len(lines) > 13 || lines[len(lines)-1] != "  … and 8 more" {
		t.Errorf("want 12 steps and the number of the others, got %q", lines)
	}
}

func TestCountersOfUnknownEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		done, total int64
		unit        progress.Unit
		want        string
	}{
		{0, 0, progress.Items, "  … read"},
		{7, 0, progress.Items, "  … read  7"},
		{2048, 0, progress.Bytes, "  … read  2.0 KiB"},
		{512, 1024, progress.Bytes, "  … read  [██████████··········] 512 B/1.0 KiB"},
		{9, 3, progress.Items, "  … read  [████████████████████] 9/3"},
	} {
		r, out, c := newReporter(progress.Terminal, 80)
		s := r.Step("read", "read")
		c.pass(500 * time.Millisecond)
		s.Count(tc.done, tc.total, tc.unit)
		if got := screen(t, out.String()); got[len(got)-1] != tc.want {
			t.Errorf("want %q, got %q", tc.want, got)
		}
	}
}

func TestPaletteOfNotes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := progress.New(&out, progress.Options{
		Mode: progress.Plain, Palette: iostreams.Palette{Enabled: true}, Now: time.Now,
	})
	r.Warnf("x")
	if got := out.String(); got != "\x1b[33mwarning: \x1b[0mx\n" {
		t.Errorf("got %q", got)
	}
}

func TestSizesAndDurationsAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB", 1<<20 - 1: "1.0 MiB",
		1 << 30: "1.0 GiB", 1 << 40: "1.0 TiB", 1 << 50: "1.0 PiB", 1 << 62: "4.0 EiB",
	} {
		if got := progress.Size(n); got != want {
			t.Errorf("%d bytes: want %q, got %q", n, want, got)
		}
	}
	for d, want := range map[time.Duration]string{
		4200 * time.Millisecond: "4.2s", 38 * time.Second: "38s", 258 * time.Second: "4m18s",
		2*time.Hour + 5*time.Minute: "2h05m", 9990 * time.Millisecond: "10s", 59900 * time.Millisecond: "1m00s",
	} {
		if got := progress.Elapsed(d); got != want {
			t.Errorf("%v: want %q, got %q", d, want, got)
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	r, out, _ := newReporter(progress.Terminal, 80)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			s := r.Step("claim", fmt.Sprint(i))
			s.Count(1, 2, progress.Items)
			s.Done("")
		})
	}
	wg.Wait()
	if n := len(screen(t, out.String())); n != 20 {
		t.Errorf("want 20 lines that stay, got %d", n)
	}
}
