package iostreams

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrNoTerminal says that a question could not be asked.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// ConfirmByTyping asks on ErrOut and returns whether the line typed was exactly want. An empty line, end of input or
// anything else is no. It returns ErrNoTerminal where nobody would see the question, and ctx's error when it ends.
func (s *Streams) ConfirmByTyping(ctx context.Context, question, want string) (bool, error) {
	if !s.CanPrompt() {
		return false, ErrNoTerminal
	}
	if _, err := fmt.Fprint(s.ErrOut, question); err != nil {
		return false, fmt.Errorf("ask for confirmation: %w", err)
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a read from a terminal cannot be cancelled; the process ends soon after
		line, err := bufio.NewReader(s.In).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case a := <-got:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return false, fmt.Errorf("read the confirmation: %w", a.err)
		}
		return strings.TrimRight(a.line, "\r\n") == want, nil
	}
}
