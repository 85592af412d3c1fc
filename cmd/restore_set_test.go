package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

// What is about Strimzi's resources is refused beside a StatefulSet; what a configuration may say of every restore is
// not.
func TestAStatefulSetIsNamedAlone(t *testing.T) {
	recorded(t)
	file := filepath.Join(t.TempDir(), "other.yaml")
	other := "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: other}\n"
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code exitcode.Code
		want string
	}{
		{"restore kafka/a --statefulset b --yes", exitcode.Usage, "kafka/a and --statefulset b are two"},
		{"restore --statefulset b --cluster-id X --yes", exitcode.Usage, "cluster-id"},
		{"restore --statefulset b --snapshot --yes", exitcode.Usage, "snapshot"},
		{"restore --statefulset b --lost node/1 --yes", exitcode.Usage, "lost"},
		{"restore --statefulset b --yes -f " + file, exitcode.Usage, `look for statefulset "b"`},
		{"scan --statefulset b -A", exitcode.Usage, "--statefulset names one set"},
		{"scan --statefulset b kafka/a", exitcode.Usage, "--statefulset names one set"},
		{"scan -f " + file, exitcode.Usage, "name it with --statefulset"},
	} {
		code, _, errOut := program(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", c.args, code, c.code, c.want, errOut)
		}
	}
	t.Setenv("KAFKARECOVER_SETTLE", "5s")
	if code, _, errOut := program(t, "restore", "--statefulset", "b", "--yes"); code == exitcode.Usage {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}
