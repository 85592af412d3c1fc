package metadata_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// filtered is a log about two topics.
func filtered(t *testing.T) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{segmentName(0): newLog(t).
		add(topic("orders", 1)).                                                                          // 0
		add(partition(1, 0, 1, 2), partition(1, 1, 2, 1)).                                                // 1, 2
		add(topic("payments", 2), partition(2, 0, 1)).                                                    // 3, 4
		add(&metadata.ConfigRecord{ResourceType: 2, ResourceName: "orders", Name: "a", Value: ptr("b")}). // 5
		add(&metadata.ConfigRecord{ResourceType: 4, ResourceName: "orders", Name: "a",
																Value: ptr("c")}). // 6: of a broker
		add(&metadata.PartitionChangeRecord{TopicID: id(1), PartitionID: 0, Leader: 77, LeaderRecoveryState: -1}). // 7
		add(&metadata.ClearElrRecord{TopicName: "orders"}).                                                        // 8
		add(&metadata.RemoveTopicRecord{TopicID: id(2)}).                                                          // 9
		control(batch.LeaderChange, &metadata.LeaderChangeMessage{LeaderID: 1}).file()}                            // 10
}

func TestFiltersChooseRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		filter metadata.Filter
		want   []int64
	}{
		{"nothing set takes everything", metadata.Filter{}, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"a type", metadata.Filter{Types: []metadata.Type{3}}, []int64{1, 2, 4}},
		{"offsets", metadata.Filter{FromOffset: 3, ToOffset: 5}, []int64{3, 4}},
		{"times", metadata.Filter{FromTime: 1_700_000_000_008, ToTime: 1_700_000_000_010}, []int64{8, 9}},
		{"a topic by name, its partitions too", metadata.Filter{Topics: []string{"orders"}}, []int64{0, 1, 2, 5, 7, 8}},
		{"a topic by ID", metadata.Filter{Topics: []string{id(2).String()}}, []int64{3, 4, 9}},
		{"a topic that is not there", metadata.Filter{Topics: []string{"nothing"}}, nil},
		{"a field's text", metadata.Filter{Keys: []string{"payments"}}, []int64{3}},
		{"a field's number", metadata.Filter{Keys: []string{"77"}}, []int64{7}},
		{"all of several", metadata.Filter{Keys: []string{"orders"}, Types: []metadata.Type{4}}, []int64{5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fsys := filtered(t)
			if err := c.filter.ResolveTopics(fsys, []string{segmentName(0)}, batch.Limits{}); err != nil {
				t.Fatal(err)
			}
			var got []int64
			_, err := metadata.Walk(fsys, segmentName(0), batch.Limits{}, func(e *metadata.Entry) error {
				if c.filter.Match(e.Position, e.Record) {
					got = append(got, e.Offset)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("offsets %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("offsets %v, want %v", got, c.want)
				}
			}
		})
	}
	f := metadata.Filter{Topics: []string{"orders"}}
	if err := f.ResolveTopics(fstest.MapFS{}, []string{segmentName(0)}, batch.Limits{}); err == nil {
		t.Error("a file that is not there was read")
	}
}

func dump(t *testing.T, fsys fstest.MapFS, name string, opts metadata.DumpOptions) (string, metadata.DumpResult) {
	t.Helper()
	var out bytes.Buffer
	result, err := metadata.Dump(&out, fsys, name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), result
}

func TestDumpPrintsOnlyWhatIsKept(t *testing.T) {
	t.Parallel()
	f := metadata.Filter{Types: []metadata.Type{9}}
	text, result := dump(t, filtered(t), segmentName(0), metadata.DumpOptions{Keep: f.Match})
	if strings.Count(text, "baseOffset") != 1 || strings.Count(text, "REMOVE_TOPIC_RECORD") != 1 || result.Records != 1 {
		t.Errorf("%+v\n%s", result, text)
	}
}

func TestDumpTellsOfDamageAndOfControlRecords(t *testing.T) {
	t.Parallel()
	log := newLog(t).add(topic("a", 1)).
		control(batch.LeaderChange, &metadata.LeaderChangeMessage{
			LeaderID: 1, Voters: []metadata.LeaderChangeVoter{{VoterID: 1}},
			GrantingVoters: []metadata.LeaderChangeVoter{{VoterID: 1}},
		}).
		control(batch.KRaftVersion, &metadata.KRaftVersionRecord{KRaftVersion: 1}).
		control(batch.KRaftVoters, &metadata.VotersRecord{Voters: []metadata.Voter{{
			VoterID: 3, Endpoints: []metadata.VoterEndpoint{{Name: "C", Host: "h", Port: 9090}},
		}}}).
		control(batch.Commit, &metadata.EndTxnMarker{CoordinatorEpoch: 5}).
		raw([]byte{9}, []byte{1, 99, 0, 7}, []byte{1, 2, 0, 5})
	log.append(batch.Control, []batch.Record{{Key: []byte{0, 0, 0, 99}, Value: []byte{}}})
	log.append(0, []batch.Record{{Key: []byte("k"), Value: value(t, 0, topic("b", 2)),
		Headers: []batch.RecordHeader{{Key: []byte("h1")}, {Key: []byte("h2")}}}})
	fsys := fstest.MapFS{segmentName(0): log.file()}
	text, result := dump(t, fsys, segmentName(0), metadata.DumpOptions{})
	for _, want := range []string{
		"controlType: LEADER_CHANGE(2)", "KRaftVersion {", "KRaftVoters {", `"host":"h","port":9090`,
		"endTxnMarker: COMMIT coordinatorEpoch: 5",
		"skipping. Could not deserialize metadata record due to unknown frame version 9",
		"Unknown metadata id 99", "controlType: UNKNOWN(99)", "headerKeys: [h1,h2] payload", "keySize: 1",
	} {
		if want == "controlType: LEADER_CHANGE(2)" {
			old, _ := dump(t, fsys, segmentName(0), metadata.DumpOptions{Before40: true})
			if !strings.Contains(old, want) || strings.Contains(text, want) {
				t.Errorf("%q in a dump before 4.0 alone:\n%s", want, old)
			}
			continue
		}
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if len(result.Problems) != 3 || result.Batches != 8 {
		t.Errorf("%+v", result)
	}
	damaged := bytes.Clone(log.data)
	damaged[70] ^= 1
	cut := fstest.MapFS{segmentName(0): {Data: damaged[:len(damaged)-5]}}
	text, result = dump(t, cut, segmentName(0), metadata.DumpOptions{})
	if !strings.Contains(text, "isvalid: false") ||
		!strings.Contains(text, " invalid bytes at the end of "+segmentName(0)) {
		t.Errorf("damage is not in the text:\n%s", text)
	}
	if len(result.Problems) < 5 {
		t.Errorf("%+v", result.Problems)
	}
}

func TestDumpOfOtherLogsPrintsPayloadsAsAsked(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{segmentName(0): newLog(t).raw([]byte("hello"), []byte("world")).file()}
	opts := metadata.DumpOptions{
		Payload: func(line []byte, r *batch.Record) []byte { return append(append(line, " payload: "...), r.Value...) },
		Keep:    func(at metadata.Position, rec *metadata.Record) bool { return rec == nil && at.Offset == 1 },
	}
	text, result := dump(t, fsys, segmentName(0), opts)
	if !strings.Contains(text, "headerKeys: [] payload: world\n") || strings.Contains(text, "hello") ||
		len(result.Problems) > 0 {
		t.Errorf("%+v\n%s", result, text)
	}
}

// refusing fails the write after some bytes.
type refusing struct{ left int }

var errFull = errors.New("no space left")

func (w *refusing) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestDumpEndsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for range 4000 {
		log.raw(bytes.Repeat([]byte{7}, 500))
	}
	fsys := fstest.MapFS{segmentName(0): log.file()}
	for _, left := range []int{0, 600, 400_000} {
		if _, err := metadata.Dump(&refusing{left}, fsys, segmentName(0), metadata.DumpOptions{}); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
	text, result := dump(t, fsys, segmentName(0), metadata.DumpOptions{})
	if result.Records != 4000 || strings.Count(text, "baseOffset") != 4000 || result.More == 0 {
		t.Errorf("%d records, %d more problems", result.Records, result.More)
	}
	if _, err := metadata.Dump(&refusing{9}, fsys, "else.txt", metadata.DumpOptions{}); !errors.Is(err, metadata.ErrNoMetadata) {
		t.Errorf("a name that is none: %v", err)
	}
	if _, err := metadata.Dump(&refusing{9}, fstest.MapFS{}, segmentName(0), metadata.DumpOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is none: %v", err)
	}
}

func TestBrokerChangesMergeAsInKafka(t *testing.T) {
	t.Parallel()
	change := func(fenced, shutdown int8, dirs, cordoned []metadata.UUID) *metadata.BrokerRegistrationChangeRecord {
		return &metadata.BrokerRegistrationChangeRecord{
			BrokerID: 1, BrokerEpoch: 5, Fenced: fenced, InControlledShutdown: shutdown, LogDirs: dirs,
			CordonedLogDirs: cordoned,
		}
	}
	register := &metadata.RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 5, Fenced: true, LogDirs: []metadata.UUID{id(1)}}
	im := read(t, fstest.MapFS{segmentName(0): newLog(t).add(register).
		add(change(-1, 0, nil, nil)).add(change(0, 1, []metadata.UUID{id(2)}, []metadata.UUID{id(2)})).file()},
		metadata.ReadOptions{})
	b := im.Broker(1)
	if b == nil || b.Fenced || !b.InControlledShutdown || b.LogDirs[0] != id(2) || len(b.CordonedLogDirs) != 1 ||
		im.Report().Incomplete {
		t.Errorf("%+v, %+v", b, im.Report())
	}
	for name, m := range map[string]metadata.Message{
		"fenced out of range":         change(2, 0, nil, nil),
		"shutdown out of range":       change(0, -1, nil, nil),
		"another epoch":               &metadata.FenceBrokerRecord{ID: 1, Epoch: 4},
		"a broker that is none":       &metadata.UnfenceBrokerRecord{ID: 9, Epoch: 5},
		"unregistering one not there": &metadata.UnregisterBrokerRecord{BrokerID: 9},
	} {
		im := read(t, fstest.MapFS{segmentName(0): newLog(t).add(register).add(m).file()}, metadata.ReadOptions{})
		if len(im.Report().Problems) != 1 || !im.Report().Incomplete {
			t.Errorf("%s: %+v", name, im.Report())
		}
	}
}

// The right side is what java.lang.String of Java 17 makes of the bytes.
func TestHalfASurrogatePairIsOneReplacement(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"eda080": "efbfbd", "eda0": "efbfbdefbfbd", "ed9fbf": "ed9fbf", "eda08041": "efbfbd41"} {
		raw, _ := hex.DecodeString(in)
		rec := metadata.Record{Frame: 1, Message: &metadata.TopicRecord{Name: string(raw)}}
		text := string(rec.AppendJSON(nil, false))
		out, _ := hex.DecodeString(want)
		if !strings.Contains(text, `"name":"`+string(out)+`"`) {
			t.Errorf("%s becomes %x", in, text)
		}
	}
}

func TestControlRecordsThatDoNotParseAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, value []byte }{
		"no key":             {[]byte{0}, nil},
		"an unknown type":    {[]byte{0, 0, 0, 99}, nil},
		"an empty marker":    {[]byte{0, 0, 0, 1}, nil},
		"a negative version": {[]byte{0, 0, 0, 1}, []byte{0xff, 0xff, 0, 0, 0, 0}},
		"a voter cut short":  {[]byte{0, 0, 0, 6}, []byte{0, 0, 2}},
	} {
		c, err := metadata.DecodeControl(c.key, c.value)
		if err == nil || string(c.AppendJSON(nil)) != "null" {
			t.Errorf("%s: %v, %s", name, err, c.AppendJSON(nil))
		}
		if err := metadata.NewImage().ApplyControl([]byte{0, 0, 0, 99}, nil, metadata.Position{}); err == nil {
			t.Error("an unknown control record was applied")
		}
	}
}

func TestNamesForPeople(t *testing.T) {
	t.Parallel()
	im := metadata.NewImage()
	rec := metadata.Record{Frame: 1, Message: &metadata.ClientQuotaRecord{
		Entity: []metadata.EntityData{{EntityType: "user", EntityName: ptr("a")}, {EntityType: "client-id"}}, Key: "k",
		Value: 1,
	}}
	v, err := rec.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Apply(v, metadata.Position{}); err != nil {
		t.Fatal(err)
	}
	if q := im.Quotas()[0]; q.EntityText() != "client-id=<default>, user=a" &&
		q.EntityText() != "user=a, client-id=<default>" ||
		q.QuotaKeys()[0] != "k" {
		t.Errorf("%s %v", q.EntityText(), q.QuotaKeys())
	}
	if got := metadata.FeatureNames(map[string]int16{"b": 1, "a": 2}); got[0] != "a" {
		t.Errorf("%v", got)
	}
	for got, want := range map[string]string{
		metadata.ConfigResourceName(16): "CLIENT_METRICS", metadata.ConfigResourceName(32): "GROUP",
		metadata.ConfigResourceName(8): "BROKER_LOGGER", metadata.ConfigResourceName(7): "UNKNOWN(7)",
		metadata.SecurityProtocolName(9): "UNKNOWN(9)", metadata.SecurityProtocolName(3): "SASL_SSL",
		metadata.OperationName(-1): "UNKNOWN(-1)", metadata.PatternName(4): "PREFIXED",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
