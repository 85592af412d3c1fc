package exitcode_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

func TestCodesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	// docs/safety-contract.md, line 11; scripts depend on the numbers.
	for code, number := range map[exitcode.Code]int{
		exitcode.OK: 0, exitcode.Error: 1, exitcode.Usage: 2, exitcode.Refused: 3, exitcode.NotFound: 4,
		exitcode.Incomplete: 5, exitcode.Interrupted: 130,
	} {
		if int(code) != number {
			t.Errorf("want %d, got %d", number, code)
		}
	}
	contract, err := os.ReadFile("../../docs/safety-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{
		"0 done", "1 error", "2 usage", "3 refused", "4 nothing found", "5 incomplete", "130 interrupted",
	} {
		if !strings.Contains(strings.Join(strings.Fields(string(contract)), " "), word) {
			t.Errorf("the contract no longer says %q", word)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	refused := exitcode.With(exitcode.Refused, plain)
	for title, tc := range map[string]struct {
		err  error
		want exitcode.Code
	}{
		"no error":                      {nil, exitcode.OK},
		"an error nobody coded":         {plain, exitcode.Error},
		"a coded one":                   {refused, exitcode.Refused},
		"a coded one, wrapped":          {fmt.Errorf("restore: %w", refused), exitcode.Refused},
		"the outermost wins":            {exitcode.With(exitcode.Incomplete, refused), exitcode.Incomplete},
		"one of several":                {errors.Join(plain, refused), exitcode.Refused},
		"an interruption":               {fmt.Errorf("read: %w", context.Canceled), exitcode.Interrupted},
		"no code for no error":          {exitcode.With(exitcode.Refused, nil), exitcode.OK},
		"a deadline is not interrupted": {context.DeadlineExceeded, exitcode.Error},
	} {
		if got := exitcode.Of(tc.err); got != tc.want {
			t.Errorf("%s: want %d, got %d", title, tc.want, got)
		}
	}
	if refused.Error() != "plain" || !errors.Is(refused, plain) {
		t.Errorf("a code must not change what the error says: %v", refused)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		codes []exitcode.Code
		want  exitcode.Code
	}{
		{nil, exitcode.OK},
		{[]exitcode.Code{exitcode.OK, exitcode.OK}, exitcode.OK},
		{[]exitcode.Code{exitcode.OK, exitcode.NotFound}, exitcode.NotFound}, // partial success is never 0
		{[]exitcode.Code{exitcode.NotFound, exitcode.Incomplete}, exitcode.Incomplete},
		{[]exitcode.Code{exitcode.Incomplete, exitcode.Refused}, exitcode.Refused},
		{[]exitcode.Code{exitcode.Refused, exitcode.Error}, exitcode.Error},
		{[]exitcode.Code{exitcode.Error, exitcode.Interrupted}, exitcode.Interrupted},
	} {
		if got := exitcode.Worst(tc.codes...); got != tc.want {
			t.Errorf("of %v: want %d, got %d", tc.codes, tc.want, got)
		}
	}
}

func TestEveryCodeHasItsOwnMeaning(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range exitcode.All() {
		m := c.Meaning()
		if m == "" || strings.Contains(m, "unknown") || seen[m] {
			t.Errorf("code %d means %q", c, m)
		}
		seen[m] = true
	}
	if m := exitcode.Code(77).Meaning(); !strings.Contains(m, "77") {
		t.Errorf("an unknown code must be named, got %q", m)
	}
}
