package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// newPlainStory is a story without an operator, of Kafka that a StatefulSet runs.
func newPlainStory(t *testing.T, namespace string) *story {
	t.Helper()
	w := theWorld(t)
	s := &story{T: t, Kafka: w.NewPlain(namespace, "my-kafka"), ctx: t.Context()}
	s.must(w.Namespace(s.ctx, namespace, nil))
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
		if !w.Keep {
			s.check(s.DeleteNamespace(context.Background(), namespace))
		}
	})
	return s
}

// plainState is all that must be the same after a recovery.
func (s *story) plainState() state {
	s.Helper()
	layout, err := s.Layout(s.ctx)
	s.must(err)
	content, err := s.Read(s.ctx, messages)
	s.must(err)
	return state{ground.PlainClusterID, layout, content}
}

// plainFile writes the manifests, with that cluster ID in the environment of the pods.
func (s *story) plainFile(name, clusterID string) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), name)
	s.must(os.WriteFile(file, []byte(s.PlainManifests(clusterID)), 0o600))
	return file
}

// TestRestoreOfAStatefulSet begins with a cluster with dynamic voters that a real StatefulSet controller ran, and whose
// StatefulSet and claims were deleted.
func TestRestoreOfAStatefulSet(t *testing.T) {
	full(t)
	s := newPlainStory(t, "plain")
	s.must(s.PlainVolumes(s.ctx))
	s.must(s.ApplyYAML(s.ctx, s.Namespace, s.PlainManifests(ground.PlainClusterID)))
	s.must(s.WaitPlain(s.ctx, waitForKafka))
	s.must(s.Produce(s.ctx, messages))
	s.before = s.plainState()
	if len(s.before.Content.Messages) != messages || len(s.before.Layout) != 3 {
		t.Fatalf("the cluster is not as it was to be: %+v", s.before.Layout)
	}
	s.says(s.run(0, "scan", "--statefulset", "my-kafka"), ground.PlainClusterID)

	s.must(s.DeletePlain(s.ctx))
	s.says(s.run(4, "restore", "--statefulset", "my-kafka", "--yes"), "give its manifest with -f")
	wrong := s.plainFile("wrong.yaml", "5L6g3nShT-eMCtK--X86sw")
	s.says(s.run(3, "restore", "--statefulset", "my-kafka", "-f", wrong, "--yes"), "statefulset-cluster-id",
		ground.PlainClusterID)
	if layout, err := s.Layout(s.ctx); err != nil || len(layout) > 0 {
		t.Fatalf("a refusal makes no claim: %v, %v", err, layout)
	}
	file := s.plainFile("my-kafka.yaml", ground.PlainClusterID)
	s.says(s.run(0, "restore", "--statefulset", "my-kafka", "-f", file, "--yes"), ground.PlainClusterID, "restored")
	if diff := cmp.Diff(s.before, s.plainState()); diff != "" {
		t.Fatalf("the recovered cluster is not the one that was lost (-before +after):\n%s", diff)
	}
}
