package tree_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/tree"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// recorded calls fn for each file of the fixtures' metadata logs of which Kafka's programs were recorded, with what the
// program whose recordings have the suffix said.
func recorded(t *testing.T, suffix string, fn func(t *testing.T, m volumes.Manifest, fsys fs.FS, name, says string)) {
	t.Helper()
	files := 0
	for _, fixture := range volumes.Names() {
		if fixture == volumes.ZooKeeper {
			continue // it has no metadata log
		}
		m := volumes.ReadManifest(t, fixture)
		fsys, says := os.DirFS(volumes.Unpack(t, fixture)), os.DirFS(volumes.UnpackSays(t, fixture))
		err := fs.WalkDir(says, ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(name, suffix) || !strings.Contains(name, "__cluster_metadata-0/") {
				return err
			}
			said, err := fs.ReadFile(says, name)
			if err != nil {
				return err
			}
			files++
			file := strings.TrimSuffix(name, suffix)
			t.Run(fixture+"/"+file, func(t *testing.T) { fn(t, m, fsys, file, string(said)) })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 20 {
		t.Errorf("only %d recordings", files)
	}
}

// Records and batches of every recorded file, as kafka-dump-log prints them.
func TestDumpsAreThoseOfKafkasTool(t *testing.T) {
	t.Parallel()
	recorded(t, ".dump", func(t *testing.T, m volumes.Manifest, fsys fs.FS, name, says string) {
		t.Helper()
		var out bytes.Buffer
		opts := metadata.DumpOptions{ShowSecrets: true, Before40: strings.HasPrefix(m.Kafka, "3.")}
		if _, err := metadata.Dump(&out, fsys, name, opts); err != nil {
			t.Fatal(err)
		}
		// The first line names the file as the tool was given it.
		_, want, _ := strings.Cut(says, "\n")
		_, got, _ := strings.Cut(out.String(), "\n")
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("other than Kafka's (-Kafka's +ours):\n%s", diff)
		}
	})
}

// The tree of every recorded file, as kafka-metadata-shell prints it, but for what the shell gets wrong: the position,
// which it takes from inside a snapshot, and the quotas of default entities, whose names it shortens.
func TestTreesAreThoseOfKafkasShell(t *testing.T) {
	t.Parallel()
	recorded(t, ".tree", func(t *testing.T, m volumes.Manifest, fsys fs.FS, name, says string) {
		t.Helper()
		im, err := metadata.ReadFile(fsys, name, metadata.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		style, shown := tree.Style42, "image"
		if strings.HasPrefix(m.Kafka, "3.") {
			style, shown = tree.Style39, "image/topics"
		}
		var out bytes.Buffer
		s := &tree.Shell{Root: tree.New(im, tree.Options{ShowSecrets: true, Style: style}), Out: &out}
		if err := s.Run("tree", shown); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(comparable(says), comparable(out.String())); diff != "" {
			t.Errorf("%s: other than Kafka's (-Kafka's +ours):\n%s", path.Base(name), diff)
		}
	})
}

// comparable leaves out what the shell is known to get wrong: the position of a snapshot, and the quotas of entities
// of which a part is the default. It names those by the other part alone, so that they are there twice or with nothing
// below them.
func comparable(text string) []string {
	var out []string
	seen := map[string]bool{}
	quotas, skip := false, false
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indent == 0 {
			quotas, skip = line == "clientQuotas:", false
		}
		if quotas && indent == 2 {
			empty := i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "    ")
			skip = empty || seen[line] || strings.Contains(line, "()")
			seen[line] = true
		}
		if !skip && !strings.HasPrefix(strings.TrimSpace(line), "offset ") {
			out = append(out, line)
		}
	}
	return out
}
