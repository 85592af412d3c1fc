package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/verify"
)

func id(n byte) metadata.UUID { return metadata.UUID{0: n, 15: n} }

func topic(name string, n byte) metadata.Message {
	return &metadata.TopicRecord{Name: name, TopicID: id(n)}
}

// partition is one with a replica on each of the nodes, in directory n+100 of node n, led by the first.
func partition(n byte, p int32, isr []int32, replicas ...int32) metadata.Message {
	r := &metadata.PartitionRecord{TopicID: id(n), PartitionID: p, Replicas: replicas, ISR: isr, Leader: -1}
	if len(isr) > 0 {
		r.Leader = isr[0]
	}
	for _, node := range replicas {
		r.Directories = append(r.Directories, id(byte(node)+100))
	}
	return r
}

func broker(n int32, dirs ...metadata.UUID) metadata.Message {
	return &metadata.RegisterBrokerRecord{BrokerID: n, LogDirs: dirs}
}

// framed makes one batch of messages at an offset.
func framed(t *testing.T, offset int64, messages ...metadata.Message) []byte {
	t.Helper()
	var records []batch.Record
	for i, m := range messages {
		version := int16(0)
		switch m.(type) {
		case *metadata.PartitionRecord:
			version = 1
		case *metadata.RegisterBrokerRecord:
			version = 3
		}
		rec := metadata.Record{Frame: 1, Version: version, Message: m}
		value, err := rec.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, batch.Record{Offset: offset + int64(i), Value: value})
	}
	out, err := batch.Append(nil, batch.NewHeader(1, 0, records), records)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func control(t *testing.T, offset int64, kind batch.ControlType, m metadata.ControlMessage) []byte {
	t.Helper()
	records := []batch.Record{{
		Offset: offset, Key: []byte{0, 0, 0, byte(kind)}, Value: metadata.AppendControlValue(nil, m),
	}}
	out, err := batch.Append(nil, batch.NewHeader(1, batch.Control, records), records)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func snapshot(t *testing.T, messages ...metadata.Message) []byte {
	t.Helper()
	return slices.Concat(control(t, 0, batch.SnapshotHeader, &metadata.SnapshotHeaderRecord{}),
		framed(t, 1, messages...), control(t, int64(len(messages))+1, batch.SnapshotFooter, &metadata.SnapshotFooterRecord{}))
}

const log0 = "__cluster_metadata-0/00000000000000000000.log"

// volume is the volume of a node: its log directory with the files given.
func volume(t *testing.T, node int32, files map[string][]byte) verify.Volume {
	t.Helper()
	fsys := fstest.MapFS{}
	meta := fmt.Sprintf("version=1\ncluster.id=c\nnode.id=%d\ndirectory.id=%s\n", node, id(byte(node)+100))
	fsys["meta.properties"] = &fstest.MapFile{Data: []byte(meta)}
	for name, data := range files {
		if data == nil {
			delete(fsys, name)
			continue
		}
		fsys[name] = &fstest.MapFile{Data: data}
	}
	contents, err := logdir.Read(fsys, logdir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return verify.Volume{Name: fmt.Sprintf("volume-%d", node), FS: fsys, Contents: contents}
}

// of is partition.metadata of a topic.
func of(n byte) []byte { return []byte("version: 0\ntopic_id: " + id(n).String() + "\n") }

// check returns the issues as "level rule subject".
func check(t *testing.T, volumes ...verify.Volume) (*verify.Result, []string) {
	t.Helper()
	r, err := verify.Check(volumes)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range r.Issues {
		if i.Message == "" {
			t.Errorf("no message: %+v", i)
		}
		out = append(out, fmt.Sprintf("%s %s %s", i.Level, i.Rule, i.Subject))
	}
	slices.Sort(out)
	return r, out
}

func TestAVolumeThatFitsHasNoIssues(t *testing.T) {
	t.Parallel()
	records := framed(t, 0, topic("orders", 1), partition(1, 0, []int32{1}, 1), broker(1, id(101)))
	r, issues := check(t, volume(t, 1, map[string][]byte{log0: records, "orders-0/partition.metadata": of(1)}))
	if len(issues) > 0 || r.Worst() != "" || r.Newest != "volume-1" || r.End != 3 || r.Partitions != 1 || r.Records != 3 {
		t.Errorf("%v, %+v", issues, r)
	}
}

func TestPartitionsAreHeldAgainstTheMetadata(t *testing.T) {
	t.Parallel()
	records := framed(t, 0,
		topic("orders", 1), partition(1, 0, []int32{1}, 1), partition(1, 1, []int32{2}, 2), partition(1, 2, []int32{1, 2}, 1, 2),
		partition(1, 3, []int32{2, 1}, 1, 2), partition(1, 4, []int32{2}, 1, 2), partition(1, 10, nil, 1), topic("renamed", 2), partition(2, 0, []int32{1}, 1),
		topic("removed", 3), &metadata.RemoveTopicRecord{TopicID: id(3)},
		&metadata.PartitionRecord{TopicID: id(1), PartitionID: 5, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1,
			Directories: []metadata.UUID{id(44)}},
		&metadata.PartitionRecord{TopicID: id(1), PartitionID: 6, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1,
			Directories: []metadata.UUID{metadata.DirectoryLost}},
		&metadata.PartitionRecord{TopicID: id(1), PartitionID: 7, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1,
			Directories: []metadata.UUID{metadata.DirectoryUnassigned}},
		broker(1, id(101)))
	uuid := strings.Repeat("a", 32)
	files := map[string][]byte{
		log0:                          records,
		"orders-1/partition.metadata": of(1), "orders-9/partition.metadata": of(1), "other-0/partition.metadata": of(2),
		"removed-0/partition.metadata": of(3), "orders-8/partition.metadata": of(9), "stranger-0/partition.metadata": of(8),
		"nameless-0/x": {}, "orders-5/partition.metadata": of(1), "orders-6/partition.metadata": of(1),
		"orders-7/partition.metadata":    of(1),
		"orders-0." + uuid + "-delete/x": {}, "orders-0." + uuid + "-stray/x": {},
		"orders-7." + uuid + "-future/partition.metadata": of(1), "lost+found/x": {},
	}
	_, issues := check(t, volume(t, 1, files))
	want := []string{
		"error missing orders-0", "error missing orders-10", "error missing orders-2", "error missing orders-3", "error missing renamed-0",
		"error no-topic-id volume-1/nameless-0", "error refused-directory volume-1/lost+found",
		"error stray volume-1/orders-1", "error stray volume-1/orders-9", "error stray volume-1/stranger-0",
		"error wrong-name volume-1/other-0", "error wrong-topic-id volume-1/orders-8",
		"info deletes volume-1/orders-0." + uuid + "-delete", "info was-lost volume-1/orders-6",
		"warning missing orders-4", "warning removed-topic volume-1/removed-0",
		"warning stray-left volume-1/orders-0." + uuid + "-stray", "warning wrong-directory volume-1/orders-5",
	}
	slices.Sort(want)
	if !slices.Equal(issues, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(issues, "\n"), strings.Join(want, "\n"))
	}
}

func TestAPartitionInTwoDirectoriesIsRefused(t *testing.T) {
	t.Parallel()
	records := framed(t, 0, topic("orders", 1), partition(1, 0, []int32{1}, 1), broker(1))
	first := volume(t, 1, map[string][]byte{log0: records, "orders-0/partition.metadata": of(1)})
	second := volume(t, 1, map[string][]byte{"orders-0/partition.metadata": of(1)})
	if _, issues := check(t, first, second); !slices.Equal(issues, []string{"error duplicate volume-1/orders-0"}) {
		t.Errorf("%v", issues)
	}
}

func TestMissingIsSaidOnlyOfNodesThatWereReadWhole(t *testing.T) {
	t.Parallel()
	records := framed(t, 0, topic("orders", 1), partition(1, 0, []int32{1}, 1), broker(1, id(101), id(102)))
	if _, issues := check(t, volume(t, 1, map[string][]byte{log0: records})); len(issues) > 0 {
		t.Errorf("its other directory was not read, and yet: %v", issues)
	}
	damaged := map[string][]byte{log0: framed(t, 0, topic("orders", 1), partition(1, 0, []int32{1}, 1), broker(1, id(101))),
		"a-0/partition.metadata": []byte("nonsense")}
	_, issues := check(t, volume(t, 1, damaged))
	if slices.Contains(issues, "error missing orders-0") || !slices.Contains(issues, "warning unread volume-1/a-0/partition.metadata") {
		t.Errorf("%v", issues)
	}
}

func TestMetadataFilesAreCheckedWhole(t *testing.T) {
	t.Parallel()
	log := slices.Concat(framed(t, 0, topic("a", 1)), framed(t, 1, topic("b", 2)), framed(t, 2, topic("c", 3)))
	flipped := slices.Clone(log)
	flipped[len(log)/2] ^= 1
	name := "__cluster_metadata-0/00000000000000000002-0000000001.checkpoint"
	open := slices.Concat(log, framed(t, 3, &metadata.BeginTransactionRecord{}, topic("d", 4)))
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  []string
		worst verify.Level
	}{
		{"a snapshot equal to its log", map[string][]byte{log0: log, name: snapshot(t, topic("a", 1), topic("b", 2))}, nil, ""},
		{"a snapshot that differs from its log", map[string][]byte{log0: log, name: snapshot(t, topic("a", 1), topic("x", 2))},
			[]string{"error snapshot-differs volume-1/00000000000000000002-0000000001.checkpoint"}, verify.Error},
		{"a damaged log", map[string][]byte{log0: flipped}, []string{
			"error damaged-segment volume-1/00000000000000000000.log", "error replay volume-1/00000000000000000000.log",
			"warning incomplete volume-1",
		}, verify.Error},
		{"a torn log", map[string][]byte{log0: log[:len(log)-2]}, []string{"warning torn-tail volume-1"}, verify.Warning},
		{"a transaction that does not end", map[string][]byte{log0: open}, []string{"warning open-transaction volume-1"}, verify.Warning},
		{"no metadata at all", map[string][]byte{"a-0/partition.metadata": of(1)}, []string{"warning no-metadata "}, verify.Warning},
		{"an empty metadata directory", map[string][]byte{"__cluster_metadata-0/x": {}}, []string{"warning no-metadata "}, verify.Warning},
		{"meta.properties gone beside data", map[string][]byte{log0: log, "meta.properties": nil}, []string{"error formats volume-1"}, verify.Error},
		{"meta.properties that does not parse", map[string][]byte{log0: log, "meta.properties": []byte("version=9")}, []string{
			"error meta-unreadable volume-1", "warning unread volume-1/meta.properties",
		}, verify.Error},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, issues := check(t, volume(t, 1, c.files))
			issues = slices.DeleteFunc(slices.Compact(issues), func(i string) bool {
				return strings.HasPrefix(i, "warning unread volume-1/__cluster_metadata-0/")
			})
			if !slices.Equal(issues, c.want) || r.Worst() != c.worst {
				t.Errorf("got\n%s\nwant\n%s; worst %s", strings.Join(issues, "\n"), strings.Join(c.want, "\n"), r.Worst())
			}
		})
	}
}

func TestTheNewestCopyJudges(t *testing.T) {
	t.Parallel()
	older := volume(t, 1, map[string][]byte{log0: framed(t, 0, topic("a", 1))})
	newer := volume(t, 2, map[string][]byte{
		log0: framed(t, 0, topic("a", 1), partition(1, 0, []int32{2}, 2)), "a-0/partition.metadata": of(1),
	})
	r, issues := check(t, older, newer)
	if r.Newest != "volume-2" || len(issues) > 0 {
		t.Errorf("%s judges: %v", r.Newest, issues)
	}
}
