package recovery

import (
	"encoding/json"
	"testing"
	"time"
)

// What a claim says of its volume goes with the claim; anything else that a journal says was patched on one is nothing
// that an operation does.
func TestOfAClaimNothingIsPutBack(t *testing.T) {
	t.Parallel()
	for patch, usable := range map[string]bool{
		`{"metadata":{"annotations":{"kafkarecover.io/tied-to":"pv-1"},"uid":"u"}}`:                                true,
		`{"metadata":{"annotations":{"kafkarecover.io/tied-to":"pv-1","volume.kubernetes.io/selected-node":"n"}}}`: false,
		`{"spec":{"volumeName":"pv-2"}}`: false,
		`{}`:                             false,
		`{`:                              false,
	} {
		r := &Recorded{Operation: "restore-20261124-031502-9f3a", Began: &Beginning{
			Kafka: ObjectRef{APIVersion: "kafka.strimzi.io/v1", Kind: "Kafka", Namespace: "kafka", Name: "my-cluster"},
		}}
		r.Entries = []Entry{{Seq: 1, Time: time.Unix(0, 0), Step: string(StepClaims), Phase: PhaseIntent, Changes: []Change{{
			Object: ObjectRef{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "kafka", Name: "data-0"},
			Verb:   VerbPatch, Patch: json.RawMessage(patch),
		}}}}
		groups, err := r.groups()
		if (err == nil) != usable || len(groups) != 0 {
			t.Errorf("%s: %v, %d groups", patch, err, len(groups))
		}
	}
}
