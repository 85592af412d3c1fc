package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// A partition of committed offsets under the name of an ordinary topic, with a record that does not decode at its end.
func renamedOffsets(t *testing.T) string {
	t.Helper()
	const name = "00000000000000000000.log"
	data, err := os.ReadFile(filepath.Join(single, "kafka-log1", "__consumer_offsets-1", name))
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for r := batch.NewBytesReader(data, batch.Options{}); r.Next(); {
		next = r.Batch().LastOffset() + 1
	}
	data, err = batch.Append(data, batch.Header{BaseOffset: next, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1},
		[]batch.Record{{Offset: next, Key: []byte("\x00\x63x"), Value: []byte("y")}})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "kafka-log1", "renamed-0")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRecordsAreDecodedAsTheTopicOrTheFlagSays(t *testing.T) {
	t.Parallel()
	const decoded, raw = `"key":{"type":"2","data":{"group":"readers"}}`, `"key":"\u0000\u0002\u0000\u0007readers"`
	file := renamedOffsets(t)
	for _, c := range []struct {
		args     string
		code     exitcode.Code
		has, not string
	}{
		{"-o jsonl --dir " + single + " __consumer_offsets", exitcode.OK, decoded, raw},
		{"-o jsonl --decode none --dir " + single + " __consumer_offsets", exitcode.OK, raw, decoded},
		{"-o jsonl --key-format hex --dir " + single + " __consumer_offsets", exitcode.OK, `"key":"000200077265`, decoded},
		{"-o jsonl --dir " + file, exitcode.OK, raw, decoded},
		{"-o jsonl --decode offsets --dir " + file, exitcode.OK, `"key":"\u0000cx","value":"y"`, raw},
		{"--decode offsets --dir " + file, exitcode.OK, `{"type":"2","data":{"group":"readers"}}`, `\x02`},
		{
			"-o kafka --decode offsets --dir " + file, exitcode.Incomplete,
			" key: Unknown record type 99 at offset", " payload: y",
		},
		{"-o kafka --dir " + file, exitcode.OK, " payload: y", "Unknown record type"},
	} {
		r := runOffline(t, "", append([]string{"partition", "records"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.out, c.has) || strings.Contains(r.out, c.not) {
			t.Errorf("%s: code %d, want %d with %s and without %s: %s%s", c.args, r.code, c.code, c.has, c.not, r.out, r.err)
		}
	}
	r := runOffline(t, "", "partition", "records", "-o", "kafka", "--decode", "offsets", "--dir", file)
	if !strings.Contains(r.err, "1 record(s) were not decoded; the first: offset") {
		t.Errorf("nothing is said of the record that does not decode: %s", r.err)
	}
	if r := runOffline(t, "", "partition", "records", "-o", "kafka", "--limit", "1", "--dir", file); r.code != exitcode.Usage {
		t.Errorf("--limit with -o kafka: code %d", r.code)
	}
}
