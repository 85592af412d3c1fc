package partition_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

// segment builds a log segment, one batch for each call of add.
type segment struct {
	t      testing.TB
	data   []byte
	offset int64
}

// add appends a batch of one record for each value, at timestamps 1000 times the offset.
func (s *segment) add(values ...string) *segment {
	return s.batch(0, -1, values...)
}

func (s *segment) batch(attributes batch.Attributes, producer int64, values ...string) *segment {
	s.t.Helper()
	var records []batch.Record
	for _, v := range values {
		r := batch.Record{Offset: s.offset, Timestamp: 1000 * s.offset, Key: []byte("k"), Value: []byte(v)}
		if v == "null" {
			r.Value = nil
		}
		records = append(records, r)
		s.offset++
	}
	h := batch.NewHeader(2, attributes, records)
	if producer >= 0 {
		h.ProducerID, h.ProducerEpoch = producer, 0
	}
	var err error
	if s.data, err = batch.Append(s.data, h, records); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func from(t testing.TB, offset int64) *segment { return &segment{t: t, offset: offset} }

func file(data []byte) *fstest.MapFile { return &fstest.MapFile{Data: data, Mode: 0o644} }

func name(offset int64) string { return fmt.Sprintf("%020d.log", offset) }

// orders is a partition of two segments, offsets 10 to 14 and 20 to 22.
func orders(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"orders-0/" + name(10): file(from(t, 10).add("a", "b").add("c", "null", "e").data),
		"orders-0/" + name(20): file(from(t, 20).add("f").batch(batch.Attributes(batch.Gzip), -1, "g",
			"h").data),
		"orders-0/" + name(0) + ".deleted":    file([]byte("x")),
		"orders-0/00000000000000000010.index": file(nil),
		"orders-0/partition.metadata":         file([]byte("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAACg\n")),
		"meta.properties":                     file(nil),
	}
}

func segments(t testing.TB, fsys fs.FS, dir string) []partition.Segment {
	t.Helper()
	out, err := partition.Segments(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFindListsThePartitionsOfAVolume(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"kafka-log1/b-1/" + name(0):                  file(make([]byte, 7)),
		"kafka-log1/b-0.aaaa-delete/x":               file(nil),
		"kafka-log1/a-10/partition.metadata":         file([]byte("nonsense")),
		"kafka-log1/a-2/.keep":                       file(nil),
		"kafka-log1/lost+found/x":                    file(nil),
		"kafka-log1/c-0":                             file([]byte("no directory")),
		"kafka-log1/__cluster_metadata-0/" + name(0): file(nil),
		"kafka-log2/a-1/.keep":                       file(nil),
		"other/a-1/.keep":                            file(nil),
	}
	places, problems, err := partition.Find(fsys)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range places {
		got = append(got, fmt.Sprintf("%s %s %d %s %d", p.Path, p.Name.Topic, p.Name.Partition, p.Name.State, p.Name.Bytes))
	}
	want := []string{
		"kafka-log1/__cluster_metadata-0 __cluster_metadata 0 current 0",
		"kafka-log1/a-2 a 2 current 0", "kafka-log1/a-10 a 10 current 0",
		"kafka-log1/b-0.aaaa-delete b 0 delete 0", "kafka-log1/b-1 b 1 current 7", "kafka-log2/a-1 a 1 current 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(problems) != 1 || problems[0].Path != "kafka-log1/a-10/partition.metadata" {
		t.Errorf("problems %+v", problems)
	}
	places, _, err = partition.Find(orders(t))
	if err != nil || len(places) != 1 || places[0].LogDir() != "." || places[0].Name.TopicID != "AAAAAAAAAAAAAAAAAAAACg" {
		t.Errorf("a log directory: %+v, %v", places, err)
	}
	if _, _, err := partition.Find(failing{orders(t), "."}); err == nil {
		t.Error("a volume that cannot be listed has no error")
	}
	if _, _, err := partition.At(orders(t), "lost+found"); !errors.Is(err, partition.ErrNoPartition) {
		t.Errorf("lost+found is no partition: %v", err)
	}
	if p, _, err := partition.At(orders(t), "orders-0"); err != nil || p.Name.Topic != "orders" {
		t.Errorf("%+v, %v", p, err)
	}
}

// failing fails when one name is opened.
type failing struct {
	fs.FS
	name string
}

func (f failing) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("the disk says no")}
	}
	return f.FS.Open(name)
}

func TestWhatCannotBeReadWhileLookingIsAProblem(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"kafka-log1/b-1/partition.metadata": file(nil), "kafka-log2/a-0/" + name(0): file(nil),
		"kafka-log3/bad\xff-0/x": file(nil),
	}
	for _, bad := range []string{"kafka-log1/b-1", "kafka-log1/b-1/partition.metadata", "kafka-log2"} {
		_, problems, err := partition.Find(failing{fsys, bad})
		if err != nil || !slices.ContainsFunc(problems, func(p logdir.Problem) bool {
			return p.Path == bad && p.Message == "the disk says no"
		}) {
			t.Errorf("%s: %+v, %v", bad, problems, err)
		}
	}
}

func TestSegmentsAreSortedAndNamesChecked(t *testing.T) {
	t.Parallel()
	got := segments(t, orders(t), "orders-0")
	if len(got) != 2 || got[0].BaseOffset != 10 || got[1].BaseOffset != 20 || got[1].Name != "orders-0/"+name(20) {
		t.Errorf("%+v", got)
	}
	if _, err := partition.Segments(fstest.MapFS{"p-0/bad.log": file(nil)}, "p-0"); err == nil {
		t.Error("Kafka refuses bad.log, this does not")
	}
	if _, err := partition.Segments(orders(t), "gone-0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is gone: %v", err)
	}
}

func TestMeasureReadsHeaders(t *testing.T) {
	t.Parallel()
	fsys := orders(t)
	all := segments(t, fsys, "orders-0")
	quick, err := partition.MeasureLog(fsys, all, false, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := partition.Extent{
		Start: 10, End: 23, Epoch: 2, Batches: 2, Records: 3, Oldest: 11000, Newest: 22000,
		Codecs: []string{"none", "gzip"}, Sound: all[1].Size,
	}
	if diff := cmp.Diff(want, quick); diff != "" {
		t.Errorf("first and last segment (-want +got):\n%s", diff)
	}
	whole, err := partition.MeasureLog(fsys, all, true, batch.Limits{})
	want.Batches, want.Records = 4, 8
	if diff := cmp.Diff(want, whole); err != nil || diff != "" {
		t.Errorf("all segments (-want +got):\n%s %v", diff, err)
	}
	none, err := partition.MeasureLog(fsys, nil, true, batch.Limits{})
	if err != nil || none.End != 0 || none.Newest != -1 {
		t.Errorf("no segment: %+v, %v", none, err)
	}
	if _, err := partition.MeasureLog(fstest.MapFS{}, all, true, batch.Limits{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a segment that is gone: %v", err)
	}
	cut := fstest.MapFS{all[1].Name: file(fsys[all[1].Name].Data[:all[1].Size-3])}
	x, err := partition.Measure(cut, segments(t, cut, "orders-0")[0], batch.Limits{})
	if err != nil || x.Damage == nil || x.Damage.Kind != batch.Torn || x.End != 21 || x.Sound == 0 {
		t.Errorf("a torn segment: %+v, %v", x, err)
	}
}

func walk(t *testing.T, fsys fs.FS, within partition.Range) (values string, problems []logdir.Problem) {
	t.Helper()
	problems, err := partition.Walk(fsys, segments(t, fsys, "orders-0"), within, batch.Limits{},
		func(e *partition.Entry) error {
			values += partition.FormatString.Text(e.Value)[:1]
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return values, problems
}

func TestWalkKeepsToTheRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   partition.Range
		want string
	}{
		{"everything", partition.Range{}, "abcnefgh"},
		{"from the middle of a batch", partition.Range{FromOffset: 13}, "nefgh"},
		{"from a gap between segments", partition.Range{FromOffset: 17}, "fgh"},
		{"up to an offset", partition.Range{ToOffset: 14}, "abcn"},
		{"up to the second segment", partition.Range{ToOffset: 20}, "abcne"},
		{"by time", partition.Range{FromTime: 12000, ToTime: 21000}, "cnef"},
		{"nothing", partition.Range{FromOffset: 99}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, problems := walk(t, orders(t), c.in)
			if got != c.want || len(problems) > 0 {
				t.Errorf("got %q, want %q; problems %v", got, c.want, problems)
			}
		})
	}
}

func TestWalkGoesOnBehindDamageAndTellsWhere(t *testing.T) {
	t.Parallel()
	fsys := orders(t)
	first := fsys["orders-0/"+name(10)]
	first.Data[70] ^= 1 // inside the records of the first batch
	got, problems := walk(t, fsys, partition.Range{})
	if got != "cnefgh" || len(problems) != 1 || problems[0].Path != "orders-0/"+name(10) || problems[0].Offset != 0 {
		t.Errorf("got %q, problems %+v", got, problems)
	}
	first.Data = first.Data[:len(first.Data)-1]
	if got, problems = walk(t, fsys, partition.Range{}); got != "fgh" || len(problems) != 1 {
		t.Errorf("no sound batch behind: got %q, problems %+v", got, problems)
	}
	stop := errors.New("enough")
	_, err := partition.Walk(fsys, segments(t, fsys, "orders-0"), partition.Range{}, batch.Limits{},
		func(*partition.Entry) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("the caller's error is %v", err)
	}
}

func TestControlRecordsAreParsed(t *testing.T) {
	t.Parallel()
	records := []batch.Record{{Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 9}}}
	good, err := batch.Append(nil, batch.NewHeader(0, batch.Control|batch.Transactional, records), records)
	if err != nil {
		t.Fatal(err)
	}
	records[0].Offset, records[0].Key = 1, []byte{0}
	both, err := batch.Append(good, batch.NewHeader(0, batch.Control|batch.Transactional, records), records)
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"orders-0/" + name(0): file(both)}
	var kinds []batch.ControlType
	problems, err := partition.Walk(fsys, segments(t, fsys, "orders-0"), partition.Range{}, batch.Limits{},
		func(e *partition.Entry) error {
			kinds = append(kinds, e.Control.Type)
			return nil
		})
	if err != nil || len(problems) != 1 || !slices.Equal(kinds, []batch.ControlType{batch.Commit}) {
		t.Errorf("kinds %v, problems %v, %v", kinds, problems, err)
	}
}

func TestRealSegmentsAreMapped(t *testing.T) {
	t.Parallel()
	logDir := os.DirFS("../logdir/testdata/single/kafka-log1")
	x, err := partition.MeasureLog(logDir, segments(t, logDir, "s-none-0"), true, batch.Limits{})
	if err != nil || x.End != 40 || x.Records != 40 || x.Damage != nil {
		t.Errorf("%+v, %v", x, err)
	}
}
