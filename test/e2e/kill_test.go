package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// journal is the journal of the story's one operation so far: its name, its lines, and who writes it.
func (s *story) journal() (operation string, lines int, holder string) {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(theTool(s.T).StateDir(), "restore-*", "journal.jsonl"))
	s.must(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		s.must(err)
		if !bytes.Contains(text, []byte(`"namespace":"`+s.Namespace+`"`)) {
			continue // another story's
		}
		if operation != "" {
			s.Fatalf("one operation was begun, and there are %v", files)
		}
		operation, lines = filepath.Base(filepath.Dir(file)), bytes.Count(text, []byte("\n"))
		for line := range bytes.Lines(text) {
			var entry struct{ Began struct{ Holder string } }
			if json.Unmarshal(line, &entry) == nil && entry.Began.Holder != "" {
				holder = entry.Began.Holder
			}
		}
	}
	return operation, lines, holder
}

// life runs the program until its journal has grown by some lines, and kills it as a machine that loses its power does.
// killed is false where it came to its end before.
func (s *story) life(lines int, args ...string) (killed bool) {
	s.Helper()
	_, before, _ := s.journal()
	cmd, err := theTool(s.T).Start(s.ctx, append(args, "-n", s.Namespace)...)
	s.must(err)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.Fatalf("a run that was not killed ended with %v: kafkarecover %s", err, strings.Join(args, " "))
			}
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if _, now, _ := s.journal(); now >= before+lines {
			s.must(cmd.Process.Kill())
			<-ended
			return true
		}
	}
}

// A restore from volumes alone is killed again and again, and gone on with each time. Every life is longer than the one
// before, because each reads the volumes again. It comes to the same end.
func TestARestoreThatIsKilledAgainAndAgainComesToItsEnd(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "killed", operator)
	s.planted(ground.Planting{})
	s.namespaceDeleted(operator)
	file := s.manifests()
	const shortest, longer = 7, 23
	killed := s.life(shortest, "restore", "kafka/my-cluster", "-f", file, "--yes")
	lives := 1
	for ; killed && lives < 40; lives++ {
		operation, _, holder := s.journal()
		killed = s.life(shortest+longer*lives, "resume", operation, "-f", file, "--yes", "--take-over", holder)
	}
	operation, lines, _ := s.journal()
	t.Logf("operation %s: %d lives, %d lines", operation, lives, lines)
	if killed || lives < 5 {
		t.Errorf("it was to be killed several times and to come to its end all the same: %d lives", lives)
	}
	s.recovered()
}
