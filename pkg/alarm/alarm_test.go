package alarm_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
)

const (
	theID      = "WfgV0zaXR8GWDtKf_rFFyA"
	broker     = "my-cluster-broker-0"
	controller = "my-cluster-controller-3"
)

// prediction is of three controllers and a broker with two volumes, whose metadata is committed up to 253.
func prediction(change func(*alarm.Prediction)) *alarm.Prediction {
	whole := func() *alarm.Copy { return &alarm.Copy{End: 253, EndKnown: true, Snapshot: 223} }
	p := &alarm.Prediction{
		Cluster: "my-cluster", ClusterID: theID,
		Claims: map[string]alarm.Claim{
			"data-0-my-cluster-broker-0":     {Volume: "pv-b0", Held: alarm.HeldData, Metadata: whole()},
			"data-1-my-cluster-broker-0":     {Volume: "pv-b1", Held: alarm.HeldData},
			"data-0-my-cluster-controller-3": {Volume: "pv-c3", Held: alarm.HeldData, Metadata: whole()},
			"data-0-my-cluster-controller-4": {Volume: "pv-c4", Held: alarm.HeldNothing},
			"data-0-my-cluster-controller-5": {Volume: "pv-c5", Held: alarm.HeldUnknown},
		},
		Formatted: map[string]bool{"data-0-my-cluster-controller-4/kafka-log4": true},
		Committed: &alarm.Committed{Offset: 253, By: "2 of 3 voters hold it in epoch 2"},
	}
	if change != nil {
		change(p)
	}
	return p
}

// with changes what is predicted of the claim of controller 3.
func with(change func(*alarm.Claim)) func(*alarm.Prediction) {
	return func(p *alarm.Prediction) {
		c := p.Claims["data-0-my-cluster-controller-3"]
		change(&c)
		p.Claims["data-0-my-cluster-controller-3"] = c
	}
}

// The lines are those of Kafka 4.2.0 and 3.9.1 with the layout of Strimzi's pods, recorded: two of three controllers
// were emptied, and their start put the others' metadata right to what they had (testdata). The one of the start script
// is Strimzi's.
const (
	formats = "Formatting metadata directory /var/lib/kafka/data-0/kafka-log3 with metadata.version 4.2-IV1."
	cuts    = "2026-11-26 11:41:58 INFO  [kafka-3-raft-io-thread] UnifiedLog:2332 - [UnifiedLog " +
		"partition=__cluster_metadata-0, dir=/var/lib/kafka/data-0/kafka-log3] Truncating to offset 32"
	hasCut = "2026-11-26 11:41:58 INFO  [kafka-3-raft-io-thread] KafkaRaftClient:1751 - [RaftManager id=3] Truncated to " +
		"offset 32 from Fetch response from leader 4"
	replaces = "2026-11-26 11:36:50 INFO  [kafka-0-raft-io-thread] KafkaRaftClient:2181 - [RaftManager id=0] Fully " +
		"truncated the log at (LogOffsetMetadata(offset=223, metadata=Optional[(segmentBaseOffset=223," +
		"relativePositionInSegment=0)]), 2) after downloading snapshot OffsetAndEpoch[offset=223, epoch=2] from leader 5"
	otherID = `Exception in thread "main" java.lang.RuntimeException: Invalid cluster.id in: ` +
		"/var/lib/kafka/data-0/kafka-log3/meta.properties. Expected WfgV0zaXR8GWDtKf_rFFyA, but read 5L6g3nShT-eMCtK--X86sw"
	deletes = "The desired KRaft metadata log directory (/var/lib/kafka/data-1/kafka-log0) and the current one " +
		"(/var/lib/kafka/data-0/kafka-log0/__cluster_metadata-0) differ. The current directory will be deleted."
)

func TestLinesAreHeldAgainstWhatWasPredicted(t *testing.T) {
	t.Parallel()
	copyOf := func(c alarm.Copy) func(*alarm.Prediction) {
		return with(func(on *alarm.Claim) { on.Metadata = &c })
	}
	for _, c := range []struct {
		name, pod, line string
		predicted       func(*alarm.Prediction)
		want            alarm.Kind
		volume          string
	}{
		{name: "formatted over data", pod: controller, line: formats, want: alarm.FormattedOverData, volume: "pv-c3"},
		{
			name: "a second volume", pod: broker, want: alarm.FormattedOverData, volume: "pv-b1",
			line: "Formatting data directory /var/lib/kafka/data-1/kafka-log0 with metadata.version 4.2-IV1.",
		},
		{
			name: "a dynamic voter", pod: controller, want: alarm.FormattedOverData, volume: "pv-c3",
			line: "Formatting dynamic metadata voter directory /var/lib/kafka/data-0/kafka-log3 with metadata.version 3.9-IV0.",
		},
		{
			name: "Kafka before 3.9", pod: controller, want: alarm.FormattedOverData, volume: "pv-c3",
			line: "Formatting /var/lib/kafka/data-0/kafka-log3 with metadata.version 3.7-IV4.",
		},
		{
			name: "accepted as empty", pod: "my-cluster-controller-4",
			line: "Formatting metadata directory /var/lib/kafka/data-0/kafka-log4 with metadata.version 4.2-IV1.",
		},
		{
			name: "empty, and not accepted", pod: "my-cluster-controller-4", want: alarm.FormattedUnpredicted, volume: "pv-c4",
			line:      "Formatting metadata directory /var/lib/kafka/data-0/kafka-log4 with metadata.version 4.2-IV1.",
			predicted: func(p *alarm.Prediction) { p.Formatted = nil },
		},
		{
			name: "not read", pod: "my-cluster-controller-5", want: alarm.FormattedUnpredicted, volume: "pv-c5",
			line: "Formatting metadata directory /var/lib/kafka/data-0/kafka-log5 with metadata.version 4.2-IV1.",
		},
		{
			name: "given up", pod: controller, line: formats,
			predicted: with(func(c *alarm.Claim) { c.Held = alarm.HeldGivenUp }),
		},
		{
			name: "of nobody's claim", pod: "my-cluster-broker-12", want: alarm.FormattedUnpredicted,
			line: "Formatting metadata directory /var/lib/kafka/data-0/kafka-log12 with metadata.version 4.2-IV1.",
		},
		{name: "what the start script says", pod: controller, line: "Making sure the Kraft storage is formatted with " +
			"cluster ID " + theID + " and metadata version 4.2-IV1"},
		{name: "and then", pod: controller, line: "KRaft storage formatting is done"},
		{name: "nothing to format", pod: controller, line: "All of the log directories are already formatted."},
		{name: "talked of", pod: controller, line: "2026-11-26 11:41:58 INFO  [main] X:1 - " + formats},

		{name: "truncating", pod: controller, line: cuts, want: alarm.CommittedTruncated, volume: "pv-c3"},
		{name: "truncated", pod: controller, line: hasCut, want: alarm.CommittedTruncated, volume: "pv-c3"},
		{
			name: "truncated, with two volumes", pod: broker, want: alarm.CommittedTruncated, volume: "pv-b0",
			line: strings.ReplaceAll(hasCut, "id=3", "id=0"),
		},
		{name: "not committed", pod: controller, line: strings.ReplaceAll(cuts, "offset 32", "offset 253")},
		{name: "the last that is", pod: controller, line: strings.ReplaceAll(cuts, "offset 32", "offset 252"),
			want: alarm.CommittedTruncated, volume: "pv-c3"},
		{name: "a topic's partition", pod: broker, line: strings.NewReplacer("__cluster_metadata-0", "orders-3", "log3",
			"log0").Replace(cuts)},
		{
			name: "a topic named after it", pod: broker,
			line: strings.ReplaceAll(cuts, "__cluster_metadata-0", "__cluster_metadata-01"),
		},
		{name: "no effect", pod: broker, line: "2026-11-26 11:42:03 INFO  [ReplicaFetcherThread-0-1] UnifiedLog:2322 - " +
			"[UnifiedLog partition=empty-0, dir=/var/lib/kafka/data-0/kafka-log0] Truncating to 0 has no effect as the " +
			"largest offset in the log is -1"},
		{name: "older epoch", pod: controller, line: strings.ReplaceAll(cuts, "offset 32", "offset 240"),
			predicted: copyOf(alarm.Copy{End: 250, EndKnown: true, MayTruncate: true, Snapshot: 223})},
		{name: "older epoch, below its own snapshot", pod: controller, line: cuts, want: alarm.CommittedTruncated,
			volume:    "pv-c3",
			predicted: copyOf(alarm.Copy{End: 250, EndKnown: true, MayTruncate: true, Snapshot: 223})},
		{name: "behind", pod: controller, line: cuts, predicted: copyOf(alarm.Copy{End: 20, EndKnown: true})},
		{name: "behind by what was read", pod: controller, line: cuts, want: alarm.TruncatedUnpredicted, volume: "pv-c3",
			predicted: copyOf(alarm.Copy{End: 20})},
		{name: "no copy", pod: controller, line: cuts, predicted: with(func(c *alarm.Claim) { c.Metadata = nil })},
		{name: "was empty", pod: controller, line: cuts, predicted: with(func(c *alarm.Claim) {
			*c = alarm.Claim{Held: alarm.HeldNothing}
		})},
		{name: "was given up", pod: controller, line: cuts, predicted: with(func(c *alarm.Claim) {
			c.Held = alarm.HeldGivenUp
		})},
		{name: "was not read", pod: controller, line: cuts, want: alarm.TruncatedUnpredicted, volume: "pv-c3",
			predicted: with(func(c *alarm.Claim) { c.Held, c.Metadata = alarm.HeldUnknown, nil })},
		{name: "nothing proven", pod: controller, line: cuts, want: alarm.TruncatedUnpredicted, volume: "pv-c3",
			predicted: func(p *alarm.Prediction) { p.Committed = nil }},
		{name: "accepted", pod: controller, line: cuts, predicted: func(p *alarm.Prediction) { p.Committed.Lifted = true }},
		{name: "no offset", pod: controller, line: strings.ReplaceAll(cuts, "offset 32", "offset 99999999999999999999")},
		{name: "replaced by a snapshot", pod: broker, line: replaces, want: alarm.TruncatedUnpredicted, volume: "pv-b0"},
		{name: "caught up by a snapshot", pod: "my-cluster-controller-4",
			line: strings.NewReplacer("id=0", "id=4").Replace(replaces)},
		{name: "a snapshot by Kafka 3", pod: broker, want: alarm.TruncatedUnpredicted, volume: "pv-b0",
			line: strings.ReplaceAll(replaces, "OffsetAndEpoch[offset=223, epoch=2]", "OffsetAndEpoch(offset=223, epoch=2)")},

		{name: "another cluster's volume", pod: controller, line: otherID, want: alarm.OtherClusterID, volume: "pv-c3"},
		{
			name: "the ID of before", pod: controller,
			line: strings.NewReplacer("Expected "+theID, "Expected nj2gpqbHSfmvw-PQucA3Jg", "read 5L6g3nShT-eMCtK--X86sw",
				"read "+theID).Replace(otherID),
		},
		{name: "another cluster's, given up", pod: controller, line: otherID,
			predicted: with(func(c *alarm.Claim) { c.Held = alarm.HeldGivenUp })},
		{name: "metadata on another volume", pod: broker, line: deletes, want: alarm.MetadataLogDeleted, volume: "pv-b0"},
		{name: "a directory left out", pod: broker, want: alarm.LogDirectoryLeftOut, volume: "pv-b1",
			line: "I/O error trying to read log directory /var/lib/kafka/data-1/kafka-log0. Ignoring..."},
		{name: "nothing", pod: broker, line: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := alarm.New(prediction(c.predicted)).Line(c.pod, c.line)
			switch {
			case c.want == "" && a != nil:
				t.Fatalf("nothing is wrong with it: %s", a)
			case c.want == "":
				return
			case a == nil:
				t.Fatalf("want %s", c.want)
			}
			grave := c.want == alarm.FormattedOverData || c.want == alarm.CommittedTruncated
			if a.Kind != c.want || a.Volume != c.volume || a.Pod != c.pod || a.Line != c.line || a.Grave != grave ||
				a.Message == "" || a.Lost == "" {
				t.Errorf("want %s of %s, grave %v: %+v", c.want, c.volume, grave, a)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	own := map[string]string{
		"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka", "strimzi.io/name": "my-cluster-kafka",
		"strimzi.io/component-type": "kafka",
	}
	other := map[string]string{
		"strimzi.io/cluster": "other", "strimzi.io/kind": "Kafka", "strimzi.io/name": "other-kafka",
	}
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   bool
	}{
		{"data-0-my-cluster-broker-0", own, false},
		{"data-0-my-cluster-broker-12", own, true},
		{"data-0-my-cluster-extra-20", own, true},
		{"data-my-cluster-broker-0", nil, true}, // another storage layout
		{"data-0-my-cluster-broker-12", nil, true},
		{"data-0-my-cluster-two-broker-0", nil, false}, // of another cluster, as far as anybody knows
		{"data-0-my-cluster-broker-12", other, false},
		{"data-0-other-broker-0", other, false},
		{"database", nil, false},
	} {
		a := alarm.New(prediction(nil)).Claim(c.name, "pv-new", c.labels)
		if (a != nil) != c.want {
			t.Errorf("%s %v: %+v", c.name, c.labels, a)
		}
		if a != nil && (a.Kind != alarm.UnplannedClaim || !a.Grave || a.Claim != c.name || a.Volume != "pv-new") {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestAlarmsAreBoundedAndPrintNoControlCharacters(t *testing.T) {
	t.Parallel()
	j := alarm.New(prediction(nil))
	line := strings.TrimSuffix(hasCut, "4") + "4\x1b[2J" + strings.Repeat("é", 1<<20)
	a := j.Line(controller, line)
	if a == nil || len(a.Line) > 600 {
		t.Fatalf("want a bounded line: %d", len(a.Line))
	}
	if text := a.String(); strings.ContainsRune(text, '\x1b') || !strings.Contains(text, "pod/"+controller) ||
		!strings.Contains(text, "pvc/data-0-my-cluster-controller-3") || !strings.Contains(text, "pv/pv-c3") {
		t.Errorf("it must say where and nothing to a terminal: %q", text)
	}
	for _, path := range []string{"/var/lib/kafka/../../etc", "/var/lib/kafka", "/", "/var/lib/kafka/data-0/../data-1/x"} {
		j.Line(controller, "Formatting metadata directory "+path+" with metadata.version 4.2-IV1.") // must not panic
	}
}

// Whole logs of starts of Kafka 4.2.0 and 3.9.1 on the volumes of split-roles, controllers 4 and 5 of which were
// emptied and had elected leaders before controller 3 and broker 0 started; the broker once more after its copy of the
// metadata was taken away. The dumps of the configuration, and of producers' state, are left out. What is counted is
// alarming, and nothing else is.
func TestRecordedStarts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, pod string
		predicted func(*alarm.Prediction)
		want      map[alarm.Kind]int
	}{
		{file: "controller-3-cut.log", pod: controller, want: map[alarm.Kind]int{alarm.CommittedTruncated: 2}},
		{file: "broker-0-cut.log", pod: broker, want: map[alarm.Kind]int{alarm.CommittedTruncated: 2}},
		{file: "controller-4-empty.log", pod: "my-cluster-controller-4"},
		{
			file: "controller-4-empty.log", pod: "my-cluster-controller-4", want: map[alarm.Kind]int{alarm.FormattedOverData: 1},
			predicted: func(p *alarm.Prediction) {
				p.Formatted = nil
				p.Claims["data-0-my-cluster-controller-4"] = alarm.Claim{Held: alarm.HeldData}
			},
		},
		{file: "broker-0-stray.log", pod: broker, want: map[alarm.Kind]int{alarm.StrayPartition: 20}},
		{
			file: "broker-0-stray.log", pod: broker, want: map[alarm.Kind]int{alarm.StrayPartition: 19},
			predicted: func(p *alarm.Prediction) { // the topic "empty" was removed, by the metadata
				p.Removed = map[string]bool{"hZNFFYxdRfuUGGL_D1-tnA": true}
			},
		},
		{file: "controller-3-other-id.log", pod: controller},
		{
			file: "controller-3-other-id-3.9.log", pod: controller,
			want: map[alarm.Kind]int{alarm.FormattedOverData: 1, alarm.OtherClusterID: 1},
		},
	} {
		log, err := os.ReadFile(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		j, got := alarm.New(prediction(c.predicted)), map[alarm.Kind]int{}
		for line := range strings.Lines(string(log)) {
			if a := j.Line(c.pod, strings.TrimRight(line, "\n")); a != nil {
				got[a.Kind]++
			}
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: want %v, got %v", c.file, c.want, got)
		}
	}
}
