package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
)

// contents reads a volume with these meta.properties, by log directory; "" is a directory without.
func contents(t *testing.T, metas map[string]string) *logdir.Contents {
	t.Helper()
	fsys := fstest.MapFS{}
	for dir, meta := range metas {
		fsys[dir+"/cleaner-offset-checkpoint"] = &fstest.MapFile{}
		if meta != "" {
			fsys[dir+"/meta.properties"] = &fstest.MapFile{Data: []byte(meta)}
		}
	}
	c, err := logdir.Read(fsys, logdir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func meta(cluster string, node int, directory string) string {
	return fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", cluster, node, directory)
}

const (
	firstDir  = "I8V60770iSBqYv_PCgkyPg"
	secondDir = "d4gNKb0yPAYhS1HkNRU5mg"
	lostDir   = "AAAAAAAAAAAAAAAAAAAAAg"
)

func TestInfoHoldsDirectoriesAgainstEachOther(t *testing.T) {
	t.Parallel()
	one := func(m string) map[string]string { return map[string]string{"kafka-log1": m} }
	for _, c := range []struct {
		name    string
		volumes []map[string]string
		want    []string
	}{
		{"two nodes of one cluster", []map[string]string{one(meta("c", 1, firstDir)), one(meta("c", 2, secondDir))}, nil},
		{"two clusters", []map[string]string{one(meta("c", 1, firstDir)), one(meta("d", 2, secondDir))},
			[]string{"Mismatched cluster IDs between storage directories: c in v0/kafka-log1; d in v1/kafka-log1"}},
		{"a directory ID twice", []map[string]string{one(meta("c", 1, firstDir)), one(meta("c", 2, firstDir))},
			[]string{"Duplicate directory ID " + firstDir + ": it is that of v0/kafka-log1 and of v1/kafka-log1; one of them is a copy"}},
		{"a reserved directory ID", []map[string]string{one(meta("c", 1, lostDir))},
			[]string{"Invalid reserved directory ID " + lostDir + " found in v0/kafka-log1"}},
		{
			"two nodes on one volume",
			[]map[string]string{{"kafka-log1": meta("c", 1, firstDir), "kafka-log2": meta("c", 2, secondDir)}},
			[]string{"Mismatched node IDs between the storage directories of v0: 1 2"}},
		{"a directory without meta.properties", []map[string]string{one("")}, []string{"v0/kafka-log1 is not formatted."}},
		{"one that does not parse", []map[string]string{one("version=7")},
			[]string{"v0/kafka-log1/meta.properties: Unknown meta.properties version number 7"}},
		{"an empty volume", []map[string]string{{}}, []string{"v0 is not formatted: it has no log directory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var info storage.Info
			for i, v := range c.volumes {
				info.Add(fmt.Sprintf("v%d", i), contents(t, v))
			}
			info.Check()
			if !slices.EqualFunc(info.Problems, c.want, func(got, want string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("problems\n%s\nwant\n%s", strings.Join(info.Problems, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
