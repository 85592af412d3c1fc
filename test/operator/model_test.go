package operator_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/operator"
)

func volume(id int64, kraft string) map[string]any {
	v := map[string]any{"id": id, "type": "persistent-claim", "size": "1Gi"}
	if kraft != "" {
		v["kraftMetadata"] = kraft
	}
	return v
}

func TestTheMetadataLogLiesWhereStrimziPutsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		storage map[string]any
		want    string
	}{
		{
			"the volume marked shared",
			map[string]any{"type": "jbod", "volumes": []any{volume(0, ""), volume(3, "shared"), volume(4, "shared")}},
			"/var/lib/kafka/data-3/kafka-log7",
		},
		{
			"else the lowest volume ID, wherever it is listed",
			map[string]any{"type": "jbod", "volumes": []any{volume(5, ""), volume(2, "")}},
			"/var/lib/kafka/data-2/kafka-log7",
		},
		{
			"without JBOD the only volume",
			map[string]any{"type": "persistent-claim", "size": "1Gi"},
			"/var/lib/kafka/data/kafka-log7",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := operator.MetadataLogDir(c.storage, 7); got != c.want {
				t.Errorf("metadata.log.dir is %s, want %s", got, c.want)
			}
		})
	}
}

func TestImagesAreReadAsStrimziReadsThem(t *testing.T) {
	t.Parallel()
	got, err := operator.ParseImages("\n4.2.0=quay.io/a:1=2\n4.3.1=b, 4.3.0=c\t")
	if err != nil || len(got) != 3 || got["4.2.0"] != "quay.io/a:1=2" || got["4.3.1"] != "b" {
		t.Errorf("tokens are split at white space and commas, and at the first =: got %v, %v", got, err)
	}
	if _, err := operator.ParseImages("4.2.0"); err == nil {
		t.Error("a token without = must be an error")
	}
}

func TestOnlyTimesOfConditionsDoNotCountAsAChange(t *testing.T) {
	t.Parallel()
	status := func(time, id string) map[string]any {
		return map[string]any{"clusterId": id, "conditions": []any{
			map[string]any{"type": "Ready", "lastTransitionTime": time},
		}}
	}
	if !operator.SameStatus(status("1", "x"), status("2", "x")) {
		t.Error("a status that differs in lastTransitionTime only is not written again")
	}
	if operator.SameStatus(status("1", "x"), status("1", "y")) {
		t.Error("a different clusterId is a change")
	}
}

func TestASimulatedNodeTreatsAVolumeAsKafkaDoes(t *testing.T) {
	t.Parallel()
	const ours, theirs = "gRzLIu5CSRWfq1tVk4NJJA", "nj2gpqbHSfmvw-PQucA3Jg"
	shown := "/var/lib/kafka/data-0/kafka-log0"
	dir := filepath.Join(t.TempDir(), "kafka-log0")
	if err := operator.Format(dir, shown, ours, "0"); err != nil {
		t.Fatalf("an empty volume is formatted silently: %v", err)
	}
	first, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Format(dir, shown, ours, "0"); err != nil {
		t.Errorf("a formatted volume of the same cluster and node starts: %v", err)
	}
	// The words are Kafka's (MetaPropertiesEnsemble.verify).
	err = operator.Format(dir, shown, theirs, "0")
	want := "Invalid cluster.id in: " + shown + "/meta.properties. Expected " + theirs + ", but read " + ours
	if err == nil || err.Error() != want {
		t.Errorf("another cluster's volume: got %v, want %s", err, want)
	}
	if err := operator.Format(dir, shown, ours, "1"); err == nil || !strings.HasPrefix(err.Error(), "Stored node id 0") {
		t.Errorf("another node's volume under the same directory name is refused, got %v", err)
	}
	if now, _ := os.ReadFile(filepath.Join(dir, "meta.properties")); string(now) != string(first) {
		t.Error("a formatted volume is never written again")
	}
}

// TestAClaimKeepsWhatCannotBeChanged holds the double against PvcOperator.revertImmutableChanges: a claim that somebody
// made with another access mode or class is adopted, and not patched to what the API server would refuse.
func TestAClaimKeepsWhatCannotBeChanged(t *testing.T) {
	t.Parallel()
	class, other, size := "theirs", "the pool's", resource.MustParse("2Gi")
	current := corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{
		VolumeName: "pv", StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
		Selector:   &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		DataSource: &corev1.TypedLocalObjectReference{Name: "snapshot"},
	}}
	desired := corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: &other, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
	}}
	operator.KeepImmutable(&current, &desired)
	want := *current.Spec.DeepCopy()
	want.Resources = desired.Spec.Resources // what may change is what the pool asks for
	if !reflect.DeepEqual(want, desired.Spec) || desired.Spec.Resources.Requests.Storage().Cmp(size) != 0 {
		t.Errorf("got %+v, want %+v", desired.Spec, want)
	}
}
