package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreOfVolumesThatNameNoClaim begins where somebody has come half way with the documented procedure: the claimRef
// of every volume is gone, so that nothing but what is on them says whose they are.
func TestRestoreOfVolumesThatNameNoClaim(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "claimref-gone", operator)
	s.planted(ground.Planting{})
	s.namespaceDeleted(operator)
	names := slices.Sorted(maps.Keys(s.ties()))
	s.unname(names)
	available := s.named(names)
	include := ""
	command := []string{"restore", "kafka/my-cluster", "-f", s.manifests()}
	with := slices.Clone(command)
	for _, name := range names {
		include += " --include pv/" + name
		with = append(with, "--include", "pv/"+name)
	}
	s.says(s.run(4, append(command, "--yes")...), strings.TrimSpace(include))
	s.says(s.run(0, append(with, "--dry-run=client")...), "make 9 claims", s.before.ClusterID)
	if diff := cmp.Diff(available, s.named(names)); diff != "" {
		t.Errorf("a dry run must leave every volume as it was (-before +after):\n%s", diff)
	}
	s.says(s.run(0, append(with, "--yes")...), s.before.ClusterID)
	s.recovered()
}

// unname takes the claimRef of volumes away, as the documented procedure does.
func (s *story) unname(names []string) {
	s.Helper()
	for _, name := range names {
		_, err := s.Client.CoreV1().PersistentVolumes().Patch(s.ctx, name, types.JSONPatchType,
			[]byte(`[{"op":"remove","path":"/spec/claimRef"}]`), metav1.PatchOptions{})
		s.must(err)
	}
	s.must(ground.Wait(s.ctx, time.Minute, "volumes to be Available", func(context.Context) error {
		for name, now := range s.named(names) {
			if now != string(corev1.VolumeAvailable)+" for nobody" {
				return fmt.Errorf("pv %q: %s", name, now)
			}
		}
		return nil
	}))
}

// named is the phase of volumes, and the claim that each names.
func (s *story) named(names []string) map[string]string {
	s.Helper()
	out := map[string]string{}
	for _, name := range names {
		pv, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, name, metav1.GetOptions{})
		s.must(err)
		claim := "nobody"
		if pv.Spec.ClaimRef != nil {
			claim = pv.Spec.ClaimRef.Namespace + "/" + pv.Spec.ClaimRef.Name
		}
		out[name] = fmt.Sprintf("%s for %s", pv.Status.Phase, claim)
	}
	if len(out) == 0 {
		s.Fatal("there is no volume")
	}
	return out
}
