package recovery_test

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// anew writes the volumes of a lost cluster for the stand, under other names than those that are there.
func anew(t *testing.T, s *stand) *redeclared.Volumes {
	t.Helper()
	var saved []volume.PersistentVolume
	for name := range s.disks.read {
		o := s.server.Get(kube.Volumes(), "", "pv-"+name)
		o["metadata"] = map[string]any{"name": "anew-" + name}
		saved = append(saved, volume.ParsePersistentVolume(o))
	}
	list, err := redeclared.Write(saved, redeclared.Request{Namespace: standNamespace, Cluster: standCluster})
	if err != nil {
		t.Fatal(err)
	}
	return &redeclared.Volumes{List: list}
}

func TestVolumesAreDeclaredOnlyWhereTheClusterIsMade(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	req := s.request()
	req.Redeclared = anew(t, s)
	result, err := recovery.Restore(t.Context(), req, s.deps())
	if err != nil || result.Outcome != recovery.OutcomeRefused || !strings.Contains(result.Reason, "is there") {
		t.Fatalf("%v %+v", err, result)
	}
	for name := range s.disks.read {
		if s.server.Get(kube.Volumes(), "", "anew-"+name) != nil {
			t.Errorf("a volume was declared for %q beside a cluster that is there", name)
		}
	}
}
