package recovery

import (
	"errors"
	"testing"
)

// A run that was taken over while it waited for somebody writes no line into what is another run's journal by now.
func TestWithoutTheLockTheJournalsCopyIsLeftToAnotherRun(t *testing.T) {
	t.Parallel()
	m := &configMapMirror{lock: &lock{lost: errLockLost}} // and no client: whoever writes all the same fails the test
	if err := m.Append(t.Context(), Entry{Seq: 7, Phase: PhaseDone}); !errors.Is(err, errLockLost) {
		t.Errorf("got %v", err)
	}
}
