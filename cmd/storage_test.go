package cmd

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

func TestStorageFormatWritesOnlyIntoEmptyDirectories(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	args := []string{"storage", "format", "--dir", dir, "--cluster-id", "c", "--node-id", "3", "--release-version", "4.2"}
	r := runOffline(t, "", append(args, "--standalone", "localhost:9093", "--feature", "group.version=1")...)
	if r.code != exitcode.OK ||
		!strings.Contains(r.out, "Formatted dynamic metadata voter directory "+dir+" with metadata.version 4.2-IV1") {
		t.Fatalf("code %d: %s%s", r.code, r.out, r.err)
	}
	if info := runOffline(t, "", "storage", "info", "--dir", dir); info.code != exitcode.OK {
		t.Errorf("what was formatted is not sound: %s%s", info.out, info.err)
	}
	if again := runOffline(t, "", args...); again.code != exitcode.Refused || !strings.Contains(again.err, "not empty") {
		t.Errorf("formatted again: code %d, %s", again.code, again.err)
	}
	other := append(args[:3:3], filepath.Join(t.TempDir(), "n"))
	for name, more := range map[string][]string{
		"a release that is none":    {"--cluster-id", "c", "--node-id", "3", "--release-version", "9.9"},
		"a feature without a level": {"--cluster-id", "c", "--node-id", "3", "--release-version", "4.2", "--feature", "x"},
		"controllers that are none": {"--cluster-id", "c", "--node-id", "3", "--release-version", "4.2",
			"--initial-controllers", "x"},
		"an endpoint that is none": {"--cluster-id", "c", "--node-id", "3", "--release-version", "4.2",
			"--standalone", "x"},
		"two ways to begin at a time": {"--cluster-id", "c", "--node-id", "3", "--release-version", "4.2",
			"--standalone", "h:1", "--no-initial-controllers"},
	} {
		if r := runOffline(t, "", append(other[:4:4], more...)...); r.code != exitcode.Usage {
			t.Errorf("%s: code %d, %s", name, r.code, r.err)
		}
	}
	joined := runOffline(t, "", append(other[:4:4], "--cluster-id", "c", "--node-id", "3", "--release-version", "4.2",
		"--no-initial-controllers", "-o", "json")...)
	if joined.code != exitcode.OK || !strings.Contains(joined.out, `"kind": "StorageFormat"`) {
		t.Errorf("code %d: %s%s", joined.code, joined.out, joined.err)
	}
	random := runOffline(t, "", "storage", "random-uuid")
	if random.code != exitcode.OK || len(random.out) != 23 {
		t.Errorf("a random ID: %q", random.out)
	}
}
