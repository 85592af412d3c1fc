package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

// Every verb that changes a cluster makes the file before it does anything, and leaves nothing to do in it.
func TestHandoverMakesItsFileFirst(t *testing.T) {
	recorded(t)
	for _, args := range [][]string{
		{"restore", "kafka/other", "--yes"},
		{"plan", "kafka/other"},
		{"resume", "restore-20261124-031502-9f3a", "--yes"},
		{"undo", "restore-20261124-031502-9f3a"},
		{"stop", "restore-20261124-031502-9f3a"},
	} {
		file := filepath.Join(t.TempDir(), "for-the-administrator.sh")
		code, _, errOut := program(t, append(args, "--handover", file)...)
		if code == exitcode.OK || code == exitcode.Usage {
			t.Errorf("%s: exit code %d, %s", args[0], code, errOut)
		}
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "Nothing is waited for") {
			t.Errorf("%s: %v %s", args[0], err, text)
		}
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errOut = program(t, append(args, "--handover", file)...)
		if code != exitcode.Usage || !strings.Contains(errOut, file) {
			t.Errorf("%s: a file that holds something else: exit code %d, %s", args[0], code, errOut)
		}
	}
}
