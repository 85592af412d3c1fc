package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

// lostCluster is the manifests of a cluster of one node.
const lostCluster = `
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my-cluster}
spec: {kafka: {version: 4.2.0, listeners: []}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, labels: {strimzi.io/cluster: my-cluster}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}]}
`

// lostStandIn has nothing of a cluster but a scan, and manifests; both are returned as files.
func lostStandIn(t *testing.T) (s *standIn, saved, manifests string) {
	t.Helper()
	old := newStandIn(t)
	old.volume("data-0-my-cluster-dual-0", "Bound", "Delete")
	scanned := old.run("scan", "kafka/my-cluster", "--via", "objects", "-o", "json")
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	s = newStandIn(t)
	s.server.Put(kube.Namespaces(), kubetest.Object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": kubetest.Object{"name": "kafka", "uid": "ns"},
	})
	return s, write("saved.json", scanned.out), write("manifests.yaml", lostCluster)
}

func TestWhatIsWrongWithVolumesToDeclareIsSaidBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	s, saved, manifests := lostStandIn(t)
	for want, args := range map[string][]string{
		"give --volumes FILE":              {"-f", manifests, "--map-node", "a=b"},
		"give those with -f":               {"--volumes", saved},
		"cannot both be standard input":    {"-f", "-", "--volumes", "-"},
		"want OLD=NEW":                     {"-f", manifests, "--volumes", saved, "--map-node", "a"},
		"want CLAIM=HANDLE":                {"-f", manifests, "--volumes", saved, "--map-volume", "=b"},
		"is given twice":                   {"-f", manifests, "--volumes", saved, "--map-node", "a=b", "--map-node", "a=c"},
		"no such file":                     {"-f", manifests, "--volumes", saved + ".gone"},
		"parse it as the JSON of a scan":   {"-f", manifests, "--volumes", manifests},
		"no saved volume has it":           {"-f", manifests, "--volumes", saved, "--map-node", "a=b"},
		"--namespace-manifest makes":       {"--namespace-manifest", manifests},
		"there is no Namespace of that na": {"-f", manifests, "--namespace-manifest", manifests},
	} {
		got := s.run(append([]string{"restore", "kafka/my-cluster", "--yes"}, args...)...)
		if got.code != exitcode.Usage || !strings.Contains(got.err, want) {
			t.Errorf("want %q and exit code 2, got %d: %s", want, got.code, got.err)
		}
	}
	if n := len(s.server.Requests()); n != 0 {
		t.Errorf("%d requests for what cannot be done", n)
	}
}

func TestVolumesOfAClusterThatIsNotKnownAreRefusedUntilAccepted(t *testing.T) {
	t.Parallel()
	s, saved, manifests := lostStandIn(t)
	args := []string{"restore", "kafka/my-cluster", "--yes", "-f", manifests, "--volumes", saved}
	got := s.run(args...)
	if got.code != exitcode.Refused || !strings.Contains(got.out+got.err, "old-cluster-may-run") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	if s.server.Get(kube.Volumes(), "", "pv-data-0-my-cluster-dual-0") != nil {
		t.Error("what is refused declares nothing")
	}
}

func TestNoVolumeIsBorrowedWhereTheClusterCannotBeMade(t *testing.T) {
	t.Parallel()
	_, _, manifests := lostStandIn(t)
	s := newStandIn(t) // it has no namespace
	s.volume("data-0-my-cluster-dual-0", "Released", "Retain")
	s.server.Remove(kube.Claims(), "kafka", "data-0-my-cluster-dual-0")
	got := s.run("restore", "kafka/my-cluster", "--yes", "-f", manifests, "--image", "kafka", "--schedule-timeout", "1s")
	if got.code == exitcode.OK || !strings.Contains(got.err, "--namespace-manifest FILE") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if writes := s.server.Writes(); len(writes) > 0 {
		t.Errorf("a look at objects wrote: %v", writes)
	}
}
