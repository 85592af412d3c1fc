package metadata_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// longLog is a log of more than a megabyte, which is read ahead: batches of one topic with a long name each.
func longLog(t *testing.T, topics int) *logBuilder {
	t.Helper()
	l := newLog(t)
	for i := range topics {
		name := fmt.Sprintf("%s-%05d", strings.Repeat("n", 200), i)
		l.add(&metadata.TopicRecord{Name: name, TopicID: metadata.UUID{byte(i), byte(i >> 8), 1}})
	}
	return l
}

func TestLongLogsAreReadAhead(t *testing.T) {
	t.Parallel()
	const topics = 6000
	data := longLog(t, topics).data
	size := len(data) / topics
	if len(data) < 1<<20 || len(data) != size*topics {
		t.Fatalf("%d bytes", len(data))
	}
	flipped := bytes.Clone(data)
	flipped[4000*size+70] ^= 1
	for _, c := range []struct {
		name   string
		data   []byte
		until  int64
		topics int
		torn   bool
		place  int64 // of the problem, -1 for none
	}{
		{"whole", data, 0, topics, false, -1},
		{"up to an offset", data, 10, 10, false, -1},
		{"up to an offset far in", data, 5999, 5999, false, -1},
		{"torn", data[:len(data)-1], 0, topics - 1, true, -1},
		{"damaged far in", flipped, 0, 4000, false, int64(4000 * size)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{segmentName(0): {Data: c.data, Mode: 0o644}}
			im := read(t, fsys, metadata.ReadOptions{Until: c.until})
			r := im.Report()
			if im.TopicCount() != c.topics || r.Torn != c.torn || int(r.Records) != c.topics {
				t.Errorf("%d topics, report %+v", im.TopicCount(), r)
			}
			if (c.place >= 0) != (len(r.Problems) == 1) || len(r.Problems) == 1 && r.Problems[0].Position != c.place {
				t.Errorf("problems %+v", r.Problems)
			}
		})
	}
}

func TestLongSnapshotsAreReadAhead(t *testing.T) {
	t.Parallel()
	var messages []metadata.Message
	for i := range 6000 {
		messages = append(messages, &metadata.TopicRecord{
			Name: fmt.Sprintf("%s-%05d", strings.Repeat("s", 200), i), TopicID: metadata.UUID{byte(i), byte(i >> 8), 2},
		})
	}
	im := read(t, fstest.MapFS{snapshotName(9, 1): snapshot(t, messages...)}, metadata.ReadOptions{})
	if im.TopicCount() != 6000 || im.Report().Incomplete || im.EndOffset() != 9 {
		t.Errorf("%d topics, report %+v", im.TopicCount(), im.Report())
	}
}
