package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exported is what is compared of the result of `export manifests`.
type exported struct {
	Cluster   string `json:"cluster"`
	ClusterID string `json:"clusterId"`
	Manifests []struct {
		Kind   string         `json:"kind"`
		Name   string         `json:"name"`
		Object map[string]any `json:"object"`
	} `json:"manifests"`
	Todos []struct {
		ID string `json:"id"`
	} `json:"todos"`
}

func (s *story) exported(args ...string) exported {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, append([]string{"export", "manifests", "-o", "json"}, args...)...)
	s.must(err)
	var out exported
	if err := json.Unmarshal([]byte(result.Stdout), &out); err != nil || result.Code != 0 {
		s.Fatalf("want manifests (%v):\n%s", err, result)
	}
	return out
}

func (e *exported) asks(id string) bool {
	for _, t := range e.Todos {
		if t.ID == id {
			return true
		}
	}
	return false
}

// volumes are the volumes of every pool.
func (e *exported) volumes() []map[string]any {
	var out []map[string]any
	for _, m := range e.Manifests {
		spec, _ := m.Object["spec"].(map[string]any)
		storage, _ := spec["storage"].(map[string]any)
		if storage == nil {
			continue
		}
		list, isJBOD := storage["volumes"].([]any)
		if !isJBOD {
			list = []any{storage}
		}
		for _, v := range list {
			volume, _ := v.(map[string]any)
			out = append(out, volume)
		}
	}
	return out
}

// TestManifestsFromAFolderAndFromClaimsAreTheSame exports from nine volumes where they lie and through temporary pods.
// Only the
// claims say which size and class they asked for, and only the resource, which is there too, the version of Kafka.
func TestManifestsFromAFolderAndFromClaimsAreTheSame(t *testing.T) {
	s := idle(t, "exported")
	fromClaims := s.exported("kafka/my-cluster", "--namespace", s.Namespace, "--via", "pod")
	fromFolder := s.exported("--dir", theSeed(t).Dir)
	for _, id := range []string{"storage-size", "storage-class", "kafka-version"} {
		if fromClaims.asks(id) || !fromFolder.asks(id) {
			t.Errorf("%s is known of a cluster, and of volumes alone it is not: %+v, %+v", id, fromClaims.Todos, fromFolder.Todos)
		}
	}
	if fromClaims.ClusterID != s.before.ClusterID || fromClaims.Cluster != "my-cluster" {
		t.Errorf("want cluster %s, got %s, %s", s.before.ClusterID, fromClaims.Cluster, fromClaims.ClusterID)
	}
	volumes := append(fromClaims.volumes(), fromFolder.volumes()...)
	if len(volumes) == 0 {
		t.Fatal("no pool has a volume")
	}
	for _, v := range volumes {
		delete(v, "size")
		delete(v, "class")
	}
	for _, e := range []exported{fromClaims, fromFolder} {
		spec, _ := e.Manifests[0].Object["spec"].(map[string]any)
		kafka, _ := spec["kafka"].(map[string]any)
		delete(kafka, "version")
	}
	if diff := cmp.Diff(fromFolder.Manifests, fromClaims.Manifests); diff != "" {
		t.Errorf("the same volumes must give the same (-folder +claims):\n%s", diff)
	}
}
