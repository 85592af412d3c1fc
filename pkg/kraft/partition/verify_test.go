package partition_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

// verify checks one partition.
func verify(t testing.TB, fsys fs.FS, dir string) *partition.Report {
	t.Helper()
	place, _, err := partition.At(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := partition.Verify(context.Background(), fsys, []partition.Place{place}, partition.VerifyOptions{
		Limits: batch.Limits{BatchBytes: 1 << 20, DecompressedBytes: 1 << 20, Records: 1 << 16},
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestVerifyFindsNothingWrongWithWhatKafkaWrote(t *testing.T) {
	t.Parallel()
	volume := os.DirFS("../logdir/testdata/single")
	places, _, err := partition.Find(volume)
	if err != nil {
		t.Fatal(err)
	}
	var told int64
	report, err := partition.Verify(context.Background(), volume, places, partition.VerifyOptions{
		Read: func(n int64) { told += n },
	})
	if err != nil || len(report.Issues) > 0 || report.Partitions != 3 || report.Records != 311 || report.Files != 6 {
		t.Errorf("%+v, %v", report, err)
	}
	if told != report.Bytes || told == 0 {
		t.Errorf("progress said %d bytes, the report %d", told, report.Bytes)
	}
}

func TestVerifyTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	wrongCount := from(t, 0).add("a", "b").data
	wrongCount[60] = 3 // the header's record count; the CRC is made right below
	outside := from(t, 0).add("a", "b").data
	outside[26] = 0 // last offset delta 0 with two records
	for _, d := range [][]byte{wrongCount, outside} {
		b, _ := batch.Parse(d)
		if b != nil {
			t.Fatal("the CRC covers what was changed")
		}
		fixCRC(d)
	}
	broken := fstest.MapFS{"p-0/bad.log": file(nil)}
	for _, c := range []struct {
		name  string
		fsys  fstest.MapFS
		rules []string
		level partition.Level
	}{
		{"a torn tail", one(from(t, 0).add("a").add("b").data[:80]), []string{"torn"}, partition.Warning},
		{"zeros at the end", one(append(from(t, 0).add("a").data, make([]byte, 99)...)), []string{"torn"}, partition.Warning},
		{"a torn segment in the middle", fstest.MapFS{
			"p-0/" + name(0): file(from(t, 0).add("a").data[:50]), "p-0/" + name(5): file(from(t, 5).add("b").data),
		}, []string{"damaged"}, partition.Error},
		{"a flipped bit", one(flip(from(t, 0).add("abc").add("d").data, 70)), []string{"damaged"}, partition.Error},
		{"more records than there are", one(wrongCount), []string{"records"}, partition.Error},
		{"a record outside of its batch", one(outside), []string{"records"}, partition.Error},
		{
			"offsets that go back",
			one(append(from(t, 5).add("a").data, from(t, 5).add("b").data...)), []string{"order"}, partition.Error,
		},
		{
			"offsets below the name",
			fstest.MapFS{"p-0/" + name(7): file(from(t, 5).add("a").data)}, []string{"order"}, partition.Error,
		},
		{
			"a control record that is none",
			one(from(t, 0).batch(batch.Control, -1, "x").data), []string{"records"}, partition.Error,
		},
		{"a segment without an offset", broken, []string{"unread"}, partition.Error},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report := verify(t, c.fsys, "p-0")
			var rules []string
			for _, i := range report.Issues {
				rules = append(rules, i.Rule)
				if i.Level != c.level || i.Path == "" || i.Message == "" {
					t.Errorf("%+v", i)
				}
			}
			if !slices.Equal(rules, c.rules) {
				t.Errorf("rules %v, want %v: %+v", rules, c.rules, report.Issues)
			}
		})
	}
	report, err := partition.Verify(context.Background(), failing{orders(t), "orders-0/" + name(10)},
		[]partition.Place{{Path: "orders-0"}}, partition.VerifyOptions{})
	if err != nil || len(report.Issues) != 1 || report.Issues[0].Rule != partition.RuleUnread || report.Files != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

func one(data []byte) fstest.MapFS { return fstest.MapFS{"p-0/" + name(0): file(data)} }

func flip(data []byte, at int) []byte {
	data[at] ^= 0x10
	return data
}

// fixCRC gives a batch the CRC of its bytes.
func fixCRC(data []byte) {
	r := batch.NewBytesReader(data, batch.Options{FramesOnly: true})
	r.Next()
	crc := r.Batch().ComputedCRC()
	data[17], data[18], data[19], data[20] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
}

func TestVerifyBoundsItsReportAndEndsWhenCancelled(t *testing.T) {
	t.Parallel()
	var data []byte
	for range 1010 {
		data = append(data, from(t, 5).add("a").data...)
	}
	report := verify(t, one(data), "p-0")
	if len(report.Issues) != 1000 || report.More != 9 {
		t.Errorf("%d issues and %d more", len(report.Issues), report.More)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := partition.Verify(ctx, orders(t), []partition.Place{{Path: "orders-0"}}, partition.VerifyOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Every bit of a small log, and every length it can be cut to: an issue with a place, or the same records.
func TestEveryFlippedBitAndEveryTruncationIsFound(t *testing.T) {
	t.Parallel()
	sound := from(t, 0).add("first", "second").batch(batch.Attributes(batch.Snappy), -1, "third").add("null").data
	for i := range 8 * len(sound) {
		damaged := slices.Clone(sound)
		damaged[i/8] ^= 1 << (i % 8)
		report := verify(t, one(damaged), "p-0")
		at, uncovered := i/8, false
		for start := 0; start < len(sound); { // the frame and the leader epoch are not covered by the CRC
			size := 12 + int(sound[start+11]) + int(sound[start+10])<<8
			uncovered = uncovered || at >= start && at < start+16
			start += size
		}
		if len(report.Issues) == 0 && !uncovered {
			t.Fatalf("bit %d of byte %d: nothing is wrong", i%8, at)
		}
		for _, issue := range report.Issues {
			if issue.Position < 0 || issue.Position > int64(at) && !uncovered {
				t.Fatalf("byte %d: told at byte %d: %s", at, issue.Position, issue.Message)
			}
		}
	}
	whole := map[int]bool{0: true}
	for r := batch.NewBytesReader(sound, batch.Options{}); r.Next(); {
		whole[int(r.Batch().Position)+r.Batch().Size()] = true
	}
	for n := range len(sound) + 1 {
		report := verify(t, one(sound[:n]), "p-0")
		if whole[n] != (len(report.Issues) == 0) {
			t.Fatalf("cut to %d bytes: %+v", n, report.Issues)
		}
	}
}

// FuzzVerify: any bytes as a segment are sound or give located issues; walking and measuring agree about the sound ones.
func FuzzVerify(f *testing.F) {
	f.Add(from(f, 0).add("a", "null").batch(batch.Attributes(batch.LZ4), -1, "b").data)
	f.Add(from(f, 0).batch(batch.Attributes(batch.Zstd), 7, "b").data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := one(data)
		report := verify(t, fsys, "p-0")
		records := int64(0)
		limits := batch.Limits{BatchBytes: 1 << 20, DecompressedBytes: 1 << 20, Records: 1 << 16}
		all := segments(t, fsys, "p-0")
		_, err := partition.Walk(fsys, all, partition.Range{}, limits, func(*partition.Entry) error {
			records++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		x, err := partition.Measure(fsys, all[0], limits)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Issues) == 0 && (records != report.Records || x.Records != records || x.Sound != int64(len(data))) {
			t.Errorf("sound, with %d records verified, %d walked, %+v", report.Records, records, x)
		}
	})
}
