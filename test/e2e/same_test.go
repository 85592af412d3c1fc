package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanned is what two scans of the same volumes must agree on, however they were reached.
type scanned struct {
	Clusters []struct {
		ClusterID string `json:"clusterId"`
		Volumes   []struct {
			Name            string         `json:"name"`
			State           string         `json:"state"`
			Contents        map[string]any `json:"contents"`
			MetadataVersion int            `json:"metadataVersion"`
			Topics          int            `json:"topics"`
			Image           map[string]any `json:"image"`
		} `json:"volumes"`
	} `json:"clusters"`
}

func (s *story) scanned(args ...string) scanned {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, append([]string{"scan", "-o", "json"}, args...)...)
	s.must(err)
	var out scanned
	if err := json.Unmarshal([]byte(result.Stdout), &out); err != nil || len(out.Clusters) != 1 {
		s.Fatalf("want the scan of one cluster (%v):\n%s", err, result)
	}
	for i := range out.Clusters[0].Volumes {
		v := &out.Clusters[0].Volumes[i]
		_, v.Name, _ = strings.Cut(v.Name, "/") // pvc/NAME and dir/NAME
	}
	return out
}

// TestAFolderAndAClusterGiveTheSame reads the same nine volumes where they lie and through temporary pods.
func TestAFolderAndAClusterGiveTheSame(t *testing.T) {
	s := idle(t, "same")
	throughPods := s.scanned("kafka/my-cluster", "--namespace", s.Namespace, "--via", "pod")
	inPlace := s.scanned("--dir", theSeed(t).Dir)
	if len(inPlace.Clusters[0].Volumes) != s.Claims() || inPlace.Clusters[0].ClusterID != s.before.ClusterID {
		t.Fatalf("want %d volumes of cluster %s: %+v", s.Claims(), s.before.ClusterID, inPlace)
	}
	if diff := cmp.Diff(inPlace, throughPods); diff != "" {
		t.Errorf("the same volumes must give the same (-folder +pods):\n%s", diff)
	}
}
