package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
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

// fillIn replaces what no volume says, as a person does, and leaves out the users, whose passwords nobody has.
func (s *story) fillIn(dir string, fields ...string) {
	s.Helper()
	s.must(os.Remove(filepath.Join(dir, "kafkausers.yaml")))
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	s.must(err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		s.must(err)
		text := strings.NewReplacer(fields...).Replace(string(raw))
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasSuffix(line, ": TODO") {
				s.Errorf("%s has more to fill in: %s", filepath.Base(file), line)
			}
		}
		s.must(os.WriteFile(file, []byte(text), 0o600))
	}
}

// TestRestoreWithManifestsFromTheVolumes begins with nothing but Released volumes: no manifest is left either.
func TestRestoreWithManifestsFromTheVolumes(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "manifests-lost", operator)
	s.planted(ground.Planting{})
	s.namespaceDeleted(operator)
	released := s.ties()
	s.says(s.run(4, "restore", "kafka/my-cluster", "--yes"), "export manifests kafka/my-cluster -n manifests-lost --released")
	dir := filepath.Join(s.TempDir(), "manifests")
	s.says(s.run(0, "export", "manifests", "kafka/my-cluster", "--released", "--output-dir", dir), "kafka-version")
	if diff := cmp.Diff(released, s.ties()); diff != "" {
		t.Errorf("reading must leave every volume tied to what it was (-before +after):\n%s", diff)
	}
	s.fillIn(dir, "version: TODO", "version: "+s.KafkaVersion, "type: TODO", "type: scram-sha-512",
		"namespace: origin", "namespace: "+s.Namespace) // the volumes were taken of a cluster in another one
	s.says(s.run(0, "restore", "kafka/my-cluster", "-f", dir, "--yes"), s.before.ClusterID)
	s.recovered()
}

// TestManifestsFromAFolderAndFromClaimsAreTheSame exports from nine volumes where they lie and through temporary pods.
// Only the claims say which size and class they asked for, and only the resource, which is there too, the version of Kafka.
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
