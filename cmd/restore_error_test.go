package cmd

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
)

// TestWhatStopsARestoreHasItsExitCode covers what ends one before anything was looked at or planned.
func TestWhatStopsARestoreHasItsExitCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want exitcode.Code
	}{
		"a manifest that only a person can convert": {
			fmt.Errorf("convert kafka/a: %w: v1 has no spec.kafka.resources", declared.ErrNotConvertible), exitcode.Refused,
		},
		"no volume of it": {&recovery.NoVolumesError{Namespace: "n", Name: "a"}, exitcode.NotFound},
		"a namespace that is going": {&recovery.GoingError{
			Namespace: &termination.Namespace{Name: "n"},
		}, exitcode.Refused},
		"no such resource":               {&recovery.NotFoundError{Namespace: "n", Name: "a"}, exitcode.NotFound},
		"permissions that are missing":   {&recovery.AccessError{}, exitcode.Incomplete},
		"a flag that does not fit there": {&recovery.FlagError{Flag: "--hold-operator", Why: "it is there"}, exitcode.Usage},
		"anything else":                  {errors.New("something"), exitcode.Error},
	} {
		if got := exitcode.Of(restoreError(&recovery.Result{}, c.err)); got != c.want {
			t.Errorf("%s: got exit code %d, want %d", name, got, c.want)
		}
	}
}
