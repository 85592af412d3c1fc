package iostreams_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

func TestOnlyAWholeTypedAnswerIsYes(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{
		"kafka/my-cluster\n": true, "kafka/my-cluster\r\n": true, "kafka/my-cluster": true,
		"": false, "\n": false, "y\n": false, "yes\n": false, "kafka/my-cluster2\n": false, " kafka/my-cluster\n": false,
		"KAFKA/MY-CLUSTER\n": false, "n\nkafka/my-cluster\n": false,
	} {
		s, in, out, errOut := iostreams.Test()
		s.SetTerminal(80)
		in.WriteString(typed)
		got, err := s.ConfirmByTyping(context.Background(), "Type it: ", "kafka/my-cluster")
		if err != nil || got != want {
			t.Errorf("%q: want %v, got %v, %v", typed, want, got, err)
		}
		if errOut.String() != "Type it: " || out.Len() > 0 {
			t.Errorf("the question belongs to the narrative, got %q and %q", errOut, out)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errors.New("broken") }
func (failing) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestAskingWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	s, in, _, _ := iostreams.Test()
	in.WriteString("name\n")
	if ok, err := s.ConfirmByTyping(context.Background(), "?", "name"); ok || !errors.Is(err, iostreams.ErrNoTerminal) {
		t.Errorf("a pipe is nobody: got %v, %v", ok, err)
	}
	s.SetTerminal(80)
	s.ErrTTY = false
	if s.CanPrompt() {
		t.Error("a question that goes into a file is not seen")
	}
	s.ErrTTY = true
	s.In = failing{}
	if ok, err := s.ConfirmByTyping(context.Background(), "?", "name"); ok || err == nil {
		t.Errorf("what cannot be read is no yes: got %v, %v", ok, err)
	}
	s.ErrOut = failing{}
	if ok, err := s.ConfirmByTyping(context.Background(), "?", "name"); ok || err == nil {
		t.Errorf("what cannot be asked is no yes: got %v, %v", ok, err)
	}
	s.ErrOut = &bytes.Buffer{}
	never, w := io.Pipe()
	defer func() { _ = w.Close() }()
	s.In = never
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if ok, err := s.ConfirmByTyping(ctx, "?", "name"); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption is no yes: got %v, %v", ok, err)
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		choice iostreams.Colour
		tty    bool
		want   bool
	}{
		{iostreams.ColourAuto, true, true}, {iostreams.ColourAuto, false, false},
		{iostreams.ColourNever, true, false}, {iostreams.ColourAlways, false, true},
	} {
		s, _, _, _ := iostreams.Test()
		s.Colour, s.OutTTY, s.ErrTTY = tc.choice, tc.tty, tc.tty
		if s.OutPalette().Enabled != tc.want || s.ErrPalette().Enabled != tc.want {
			t.Errorf("%s, terminal %v: want %v", tc.choice, tc.tty, tc.want)
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	on, off := iostreams.Palette{Enabled: true}, iostreams.Palette{}
	seen := map[string]bool{}
	for _, style := range []iostreams.Style{
		iostreams.Strong, iostreams.Faint, iostreams.Good, iostreams.Notice, iostreams.Bad, iostreams.Worst,
	} {
		got := on.Paint(style, "text")
		// ECMA-48 SGR: ESC [ … m, and 0 to end it
		if !strings.HasPrefix(got, "\x1b[") || !strings.HasSuffix(got, "mtext\x1b[0m") || seen[got] {
			t.Errorf("style %d looks like %q", style, got)
		}
		seen[got] = true
		if off.Paint(style, "text") != "text" || on.Paint(style, "") != "" {
			t.Errorf("style %d: neither off nor empty may paint", style)
		}
	}
	if on.Paint(iostreams.Plain, "text") != "text" {
		t.Error("plain is plain")
	}
}

func TestSystemStreamsFollowTheEnvironment(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	t.Setenv("COLUMNS", "123")
	if s := iostreams.System(); s.Colour != iostreams.ColourAuto || s.Width() != 123 {
		t.Errorf("got colour %q, width %d", s.Colour, s.Width())
	}
	t.Setenv("COLUMNS", "many")
	if w := iostreams.System().Width(); w <= 0 {
		t.Errorf("a width that is no number must not be taken, got %d", w)
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Setenv("NO_COLOR", "")
		t.Setenv("TERM", "xterm")
		t.Setenv(name, value)
		if s := iostreams.System(); s.Colour != iostreams.ColourNever {
			t.Errorf("%s=%s: colour %q", name, value, s.Colour)
		}
	}
}

func TestWidthWithoutATerminal(t *testing.T) {
	t.Parallel()
	s, _, _, _ := iostreams.Test()
	if s.Width() != 80 {
		t.Errorf("want 80 columns where none are known, got %d", s.Width())
	}
	s.SetTerminal(42)
	if s.Width() != 42 {
		t.Errorf("want 42, got %d", s.Width())
	}
}
