package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

const hundred = 100

// hundredClaims is a namespace with the claims of a lost cluster and copies of its brokers' volumes up to a hundred. No
// Kafka resource is there any more.
func hundredClaims(t *testing.T, namespace string) *story {
	t.Helper()
	s := newStory(t, namespace, quickOperator())
	seed := *theSeed(t)
	seed.Claims = slices.Clone(seed.Claims) // other stories plant the same seed
	planting := ground.Planting{From: map[string]string{}}
	var brokers []string
	for _, claim := range seed.Claims {
		if strings.Contains(claim, "-broker-") {
			brokers = append(brokers, claim)
		}
	}
	for i := len(seed.Claims); i < hundred; i++ {
		claim := fmt.Sprintf("data-0-my-cluster-broker-%d", 1000+i)
		seed.Claims = append(seed.Claims, claim)
		planting.From[claim] = brokers[i%len(brokers)]
	}
	s.must(s.Plant(s.ctx, &seed, planting))
	layout, err := s.Layout(s.ctx)
	s.must(err)
	s.before = state{ClusterID: seed.ClusterID, Layout: layout}
	if len(layout) != hundred {
		t.Fatalf("%d claims, want %d", len(layout), hundred)
	}
	return s
}

// TestAHundredClaimsAreScannedAndLeftAsTheyWere reads as many volumes of one node as a large cluster has.
func TestAHundredClaimsAreScannedAndLeftAsTheyWere(t *testing.T) {
	full(t)
	s := hundredClaims(t, "hundred")
	before := s.fingerprint()
	read := map[string]int{}
	for _, v := range s.scanned("--cluster", "my-cluster", "--namespace", s.Namespace, "--via", "pod").Clusters[0].Volumes {
		read[v.State]++
		if v.Contents == nil {
			t.Errorf("nothing is known of %s", v.Name)
		}
	}
	if diff := cmp.Diff(map[string]int{"read": hundred}, read); diff != "" {
		t.Errorf("volumes by state (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, s.fingerprint()); diff != "" {
		t.Errorf("a scan must leave content, owner, mode and time of every file and every object as they were:\n%s", diff)
	}
	s.noPods()
}

// TestAHundredVolumesAreProtectedInOneRun is the first minute of a disaster of a large cluster.
func TestAHundredVolumesAreProtectedInOneRun(t *testing.T) {
	full(t)
	s := hundredClaims(t, "hundred-protected")
	s.setPolicy(corev1.PersistentVolumeReclaimDelete)
	result := s.run(0, "protect", "-o", "json")
	var told struct {
		Volumes []struct {
			Name, State, PolicyBefore, Policy string
		}
	}
	s.must(json.Unmarshal([]byte(result.Stdout), &told))
	safe := map[string]bool{}
	for _, v := range told.Volumes {
		if v.State == "safe" && v.PolicyBefore == "Delete" && v.Policy == "Retain" {
			safe[v.Name] = true
		}
	}
	for claim, volume := range s.before.Layout {
		if !safe[volume] {
			t.Errorf("volume %q of claim %q is not told to be safe", volume, claim)
		}
	}
	s.hasPolicy(corev1.PersistentVolumeReclaimRetain)
	s.noPods()
}
