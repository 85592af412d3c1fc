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
	s.unnamed()
	available := s.ties()
	include := ""
	command := []string{"restore", "kafka/my-cluster", "-f", s.manifests()}
	with := slices.Clone(command)
	for _, name := range slices.Sorted(maps.Keys(available)) {
		include += " --include pv/" + name
		with = append(with, "--include", "pv/"+name)
	}
	s.says(s.run(4, append(command, "--yes")...), strings.TrimSpace(include))
	s.says(s.run(0, append(with, "--dry-run=client")...), "make 9 claims", s.before.ClusterID)
	if diff := cmp.Diff(available, s.ties()); diff != "" {
		t.Errorf("a dry run must leave every volume as it was (-before +after):\n%s", diff)
	}
	s.says(s.run(0, append(with, "--yes")...), s.before.ClusterID)
	s.recovered()
}

// unnamed takes the claimRef of every volume away, as the documented procedure does.
func (s *story) unnamed() {
	s.Helper()
	volumes := s.Client.CoreV1().PersistentVolumes()
	for name := range s.ties() {
		_, err := volumes.Patch(s.ctx, name, types.JSONPatchType, []byte(`[{"op":"remove","path":"/spec/claimRef"}]`),
			metav1.PatchOptions{})
		s.must(err)
	}
	s.must(ground.Wait(s.ctx, time.Minute, "volumes to be Available", func(context.Context) error {
		for name, tie := range s.ties() {
			if !strings.HasPrefix(tie, string(corev1.VolumeAvailable)) {
				return fmt.Errorf("pv %q: %s", name, tie)
			}
		}
		return nil
	}))
}
