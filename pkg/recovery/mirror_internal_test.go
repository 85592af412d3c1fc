package recovery

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

// A run that was taken over while it waited for somebody writes no line into what is another run's journal by now.
func TestWithoutTheLockTheJournalsCopyIsLeftToAnotherRun(t *testing.T) {
	t.Parallel()
	m := &configMapMirror{lock: &lock{lost: errLockLost}} // and no client: whoever writes all the same fails the test
	taken, err := m.Append(t.Context(), []Entry{{Seq: 7, Phase: PhaseDone}})
	if !errors.Is(err, errLockLost) || taken != 0 {
		t.Errorf("got %d entries taken and %v", taken, err)
	}
}

// Entries that are written together are one request, as far as a ConfigMap of 1 MiB has room, and are read back as they
// were, whatever their length.
func TestEntriesAreReadBackFromTheClusterAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	k := s.Client(t, "kafka")
	const operation = "restore-20261126-191855-7c86"
	var entries []Entry
	for i, length := range []int{10, 200 << 10, 600 << 10, 10, 900 << 10, 10} {
		entries = append(entries, Entry{
			Seq: i + 1, Phase: PhaseNote, Note: strings.Repeat("ö", length/2), Time: time.Unix(1764184735, 0).UTC(),
		})
	}
	m := &configMapMirror{kube: k, namespace: "kafka", cluster: "my-cluster", operation: operation}
	for _, some := range [][]Entry{entries[:1], entries[1:5], entries[5:]} {
		if taken, err := m.Append(t.Context(), some); err != nil || taken != len(some) {
			t.Fatalf("got %d entries taken and %v", taken, err)
		}
	}
	if writes := len(s.Writes()); writes > 8 {
		t.Errorf("1.7 MiB in six entries took %d requests", writes)
	}
	for part := range m.part + 1 {
		size := 0
		for _, text := range s.Get(kube.ConfigMaps(), "kafka", m.name(part))["data"].(map[string]any) {
			size += len(text.(string))
		}
		if size > 1<<20 {
			t.Errorf("an API server stores no ConfigMap of %d bytes", size)
		}
	}
	again := &configMapMirror{kube: k, namespace: "kafka", cluster: "my-cluster", operation: operation}
	got, err := again.read(t.Context())
	if err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("%d of %d entries came back otherwise, or %v", len(got), len(entries), err)
	}
	if more, err := again.Append(t.Context(), []Entry{{Seq: 7, Phase: PhaseEnd}}); err != nil || more != 1 {
		t.Fatalf("got %d entries taken and %v", more, err)
	}
	third := &configMapMirror{kube: k, namespace: "kafka", cluster: "my-cluster", operation: operation}
	if got, err := third.read(t.Context()); err != nil || len(got) != 7 {
		t.Errorf("whoever goes on finds %d entries and %v", len(got), err)
	}
}
