package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	watchedPod = "my-cluster-controller-3"
	formatsIt  = "Formatting metadata directory /var/lib/kafka/data-0/kafka-log3 with metadata.version 4.2-IV1."
)

// newWatch watches a pod whose logs are those of the last container and of the one before.
func newWatch(t *testing.T, last, previous *string) *watch {
	t.Helper()
	s := kubetest.New(t)
	s.Put(kube.Pods(), kubetest.Object{"metadata": kubetest.Object{"namespace": "kafka", "name": watchedPod}})
	s.Log = func(r *kubetest.Request) string {
		if len(r.Query["previous"]) > 0 {
			return *previous
		}
		return *last
	}
	return &watch{
		kube: s.Client(t, "kafka"), namespace: "kafka", cluster: "my-cluster", grave: func(error) {},
		judge: alarm.New(&alarm.Prediction{Cluster: "my-cluster", Claims: map[string]alarm.Claim{
			"data-0-" + watchedPod: {Volume: "pv-c3", Held: alarm.HeldData},
		}}),
		known: map[string]bool{}, failures: map[string]int{}, said: map[string]bool{},
	}
}

func dated(second int, text string) string {
	return time.Date(2026, 11, 26, 11, 0, second, 5, time.UTC).Format(time.RFC3339Nano) + " " + text + "\n"
}

func TestALogIsReadOnceAndWhole(t *testing.T) {
	t.Parallel()
	first := dated(1, "starting") + dated(2, "INFO two")
	for _, c := range []struct {
		name           string
		at             podLog
		restarts       int32
		last, previous string
		alarms         int
		unseen         string
	}{
		{name: "a new line", last: first + dated(3, formatsIt), alarms: 1},
		{name: "a line of the same moment", last: first + dated(2, formatsIt), alarms: 1},
		{name: "after a very long one", last: first + dated(3, strings.Repeat("é", 4<<20)) + dated(4, formatsIt), alarms: 1},
		{name: "hidden in a very long one", last: first + dated(3, strings.Repeat("x", maxLogLine)+formatsIt)},
		{name: "without a time", last: first + formatsIt, alarms: 1},
		{name: "cut off", last: first + strings.TrimSuffix(dated(3, formatsIt), "\n"), alarms: 1},
		{name: "said before", last: dated(1, formatsIt) + first},
		{
			name: "by the container that ended", restarts: 1, previous: first + dated(3, formatsIt), last: dated(9, "starting"),
			alarms: 1,
		},
		{
			name: "by one that ended unseen", restarts: 3, previous: dated(8, "x"), last: dated(9, "starting"),
			unseen: "2 containers of pod/" + watchedPod,
		},
		{
			name: "nobody knows when", at: podLog{blind: true}, last: first + dated(3, formatsIt),
			unseen: "until it could be read for the first time",
		},
		{name: "before a mark", at: *logFrom(LogMark{Last: time.Date(2026, 11, 26, 11, 0, 3, 5, time.UTC)}),
			last: first + dated(3, formatsIt)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			last, previous := first, ""
			w := newWatch(t, &last, &previous)
			at := c.at
			if !at.blind && at.last.IsZero() { // it has been read up to there
				if err := w.read(t.Context(), containerSeen{pod: watchedPod}, &at); err != nil {
					t.Fatal(err)
				}
			}
			last, previous = c.last, c.previous
			seen := containerSeen{pod: watchedPod, restarts: c.restarts}
			if err := w.read(t.Context(), seen, &at); err != nil {
				t.Fatal(err)
			}
			if got := w.take(); len(got) != c.alarms {
				t.Errorf("want %d alarms: %+v", c.alarms, got)
			}
			got := strings.Join(w.takeNotWatched(), "\n")
			if !strings.Contains(got, c.unseen) || (c.unseen == "") != (got == "") {
				t.Errorf("want it said that %q was not watched: %q", c.unseen, got)
			}
			if err := w.read(t.Context(), seen, &at); err != nil || len(w.take()) > 0 {
				t.Errorf("nothing new was said: %v", err)
			}
		})
	}
}

// What cannot be seen for some rounds is said once; a pod that is gone, or a run that ends, is not that.
func TestWhatCannotBeSeenIsSaidOnce(t *testing.T) {
	t.Parallel()
	w := newWatch(t, new(string), new(string))
	broken := errors.New("dial tcp: refused")
	for range failuresSaid - 1 {
		w.sees(t.Context(), "x", broken)
	}
	if got := w.takeNotWatched(); len(got) > 0 {
		t.Errorf("a container that has just started has no log: %v", got)
	}
	w.sees(t.Context(), "x", broken)
	w.sees(t.Context(), "x", broken)
	if got := w.takeNotWatched(); len(got) != 1 || !strings.Contains(got[0], "refused") {
		t.Errorf("%v", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	gone := &kube.Error{Verb: "get", Resource: kube.Pods(), Err: errors.New("gone")}
	for range 2 * failuresSaid {
		w.sees(ended, "y", gone)
	}
	if got := w.takeNotWatched(); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// However many things go wrong, what is kept is bounded, and what is grave is kept.
func TestAlarmsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWatch(t, new(string), new(string))
	for i := range 10 * maxAlarms {
		w.raise(&alarm.Alarm{Kind: alarm.StrayPartition, Line: strings.Repeat("x", i)})
	}
	w.raise(&alarm.Alarm{Kind: alarm.UnplannedClaim, Grave: true})
	got := w.take()
	if len(got) != maxAlarms+1 || !got[0].Grave || !w.isGrave() {
		t.Errorf("want %d and the grave one first: %d, %+v", maxAlarms, len(got), got[0])
	}
}

// controllers are three, the last of which ends in an older epoch, and a fourth volume that is empty.
func controllers() []volume.Volume {
	var out []volume.Volume
	ends := []logdir.OffsetAndEpoch{{Offset: 253, Epoch: 2}, {Offset: 250, Epoch: 2}, {Offset: 240, Epoch: 1}}
	for i, end := range ends {
		node, id := int32(3+i), recoveredID
		name := strimzi.ClaimName{Cluster: "my-cluster", Pool: "controller", NodeID: node}.String()
		out = append(out, volume.Volume{
			Name: "pvc/" + name, State: volume.Read, Slot: &volume.Slot{Cluster: "my-cluster", Pool: "controller", NodeID: node},
			Claim: &volume.Claim{Name: name, UID: "uid-" + name, Volume: "pv-" + name},
			Contents: &logdir.Contents{Dirs: []logdir.LogDir{{
				Path: strimzi.LogDirName(node), NodeIDInName: &node,
				Meta: &logdir.MetaProperties{Version: 1, ClusterID: &id, NodeID: &node, DirectoryID: "dir"},
				Metadata: &logdir.MetadataLog{
					End: end, EndKnown: true, LeaderChangeVoters: []int32{3, 4, 5},
					Snapshots: []logdir.Snapshot{{ID: logdir.OffsetAndEpoch{Offset: 223, Epoch: 1}, Valid: true}},
				},
			}}},
			Image: &volume.Image{Removed: []volume.RemovedTopic{{TopicID: "removed"}}},
		})
	}
	empty := strimzi.ClaimName{Cluster: "my-cluster", Pool: "broker", NodeID: 0}.String()
	return append(out, volume.Volume{
		Name: "pvc/" + empty, State: volume.Read, Claim: &volume.Claim{Name: empty, Volume: "pv-e"},
		Contents: &logdir.Contents{},
	})
}

func TestWhatTheVolumesPredict(t *testing.T) {
	t.Parallel()
	r := &run{
		before: &Observation{Volumes: controllers()}, excluded: map[string]bool{"pvc/data-my-cluster-controller-4": true},
	}
	r.base = baselineOf(recoveredID, r.before.Volumes, r.excluded)
	r.base.predicted = r.predict()
	text, err := json.Marshal(r.base)
	if err != nil {
		t.Fatal(err)
	}
	var read baseline
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	p := read.prediction("my-cluster")
	whole := func(end int64) *alarm.Copy { return &alarm.Copy{End: end, EndKnown: true, Snapshot: 223} }
	older := whole(240)
	older.MayTruncate = true
	want := map[string]alarm.Claim{
		"data-my-cluster-controller-3": {
			Volume: "pv-data-my-cluster-controller-3", Held: alarm.HeldData, Metadata: whole(253),
		},
		"data-my-cluster-controller-4": {
			Volume: "pv-data-my-cluster-controller-4", Held: alarm.HeldGivenUp, Metadata: whole(250),
		},
		"data-my-cluster-controller-5": {Volume: "pv-data-my-cluster-controller-5", Held: alarm.HeldData, Metadata: older},
		"data-my-cluster-broker-0":     {Volume: "pv-e", Held: alarm.HeldNothing},
	}
	if diff := cmp.Diff(want, p.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if p.ClusterID != recoveredID || !p.Removed["removed"] {
		t.Errorf("%+v", p)
	}
	if c := p.Committed; c == nil || c.Offset != 223 || c.Lifted { // 253 is on one of three that count
		t.Errorf("want what the snapshots prove: %+v", c)
	}
	r.decision.Accepted = []finding.Finding{{Rule: "committed-metadata-at-risk"}}
	if c := r.predict().Committed; !c.Lifted {
		t.Errorf("that it may be lost was accepted: %+v", c)
	}
}

// A journal of a version that did not say what the volumes held still lists the directories on them.
func TestAnOlderJournalPredictsFromItsDirectories(t *testing.T) {
	t.Parallel()
	b := brokerBaseline()
	b.claims["data-1-my-cluster-broker-0"] = claimIdentity{volume: "pv-2"}
	p := b.prediction("my-cluster")
	if p.Claims["data-0-my-cluster-broker-0"].Held != alarm.HeldData ||
		p.Claims["data-1-my-cluster-broker-0"].Held != alarm.HeldUnknown {
		t.Errorf("%+v", p.Claims)
	}
}
