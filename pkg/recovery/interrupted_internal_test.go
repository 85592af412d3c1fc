package recovery

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// letGoWorld answers as an API server of which one claim is gone, whose volume still says Bound at the first look, as it
// does until the volume controller has seen that, and Released afterwards. holder is the claim's UID that the volume has.
func letGoWorld(t *testing.T, holder string) (client *kube.Client, looks *atomic.Int32) {
	t.Helper()
	looks = &atomic.Int32{}
	volumeIn := func(phase string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolume",
			"metadata": map[string]any{"name": "pv-0", "uid": "u0", "resourceVersion": "7"},
			"spec": map[string]any{"claimRef": map[string]any{
				"namespace": "kafka", "name": "data-0-my-cluster-broker-0", "uid": holder,
			}},
			"status": map[string]any{"phase": phase},
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer map[string]any
		w.Header().Set("Content-Type", "application/json")
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/persistentvolumes/pv-0") && looks.Add(1) == 1:
			answer = volumeIn("Bound")
		case strings.HasSuffix(path, "/persistentvolumes/pv-0"):
			answer = volumeIn("Released")
		default:
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"apiVersion": "v1", "kind": "Status", "code": 404, "reason": "NotFound"}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	client, err := kube.NewForConfig(&rest.Config{Host: server.URL}, "kafka", kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client, looks
}

// A volume whose claim is gone and that is not Released yet is none to be had: whoever goes on waits until it is.
func TestGoingOnWaitsForTheVolumeOfAClaimThatIsGone(t *testing.T) {
	t.Parallel()
	letGo := Change{
		Object: ObjectRef{APIVersion: "v1", Kind: claimKind, Namespace: "kafka", Name: "data-0-my-cluster-broker-0", UID: "was"},
		Verb:   VerbDelete, Before: map[string]any{"spec": map[string]any{"volumeName": "pv-0"}},
	}
	for holder, want := range map[string]int32{"was": 2, "another": 1} {
		client, looks := letGoWorld(t, holder)
		r := &run{Deps: Deps{Kube: client}, recorded: &Recorded{
			Entries: []Entry{{Phase: PhaseIntent, Step: string(StepLetGo), Changes: []Change{letGo}}},
		}}
		r.Namespace = "kafka"
		if err := r.awaitLetGo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := looks.Load(); got != want {
			t.Errorf("held by the claim %q: looked at %d times, want %d", holder, got, want)
		}
	}
}
