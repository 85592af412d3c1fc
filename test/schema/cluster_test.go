package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const operation = "scan-20261124-030000-9f3a"

// standIn is a stand-in for an API server with a cluster whose volumes are in every state that protect tells apart, and
// what a scan that was killed left.
func standIn(t *testing.T) (kubeconfig string) {
	t.Helper()
	s := kubetest.New(t)
	s.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": kubetest.Object{"namespace": "kafka", "name": "my-cluster", "uid": "uid-kafka"},
		"spec":     kubetest.Object{"kafka": kubetest.Object{"version": "4.2.0"}},
	})
	for i, phase := range []string{"Bound", "Bound", "Released", "Failed"} {
		claim := fmt.Sprintf("data-0-my-cluster-broker-%d", i)
		metadata := kubetest.Object{
			"namespace": "kafka", "name": claim, "uid": "uid-" + claim,
			"labels": kubetest.Object{strimzi.ClusterLabel: "my-cluster"},
		}
		if i == 1 {
			metadata["deletionTimestamp"] = "2026-11-24T03:00:00Z"
			metadata["finalizers"] = []any{"kubernetes.io/pvc-protection"}
		}
		s.Put(kube.Claims(), kubetest.Object{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
			"spec": kubetest.Object{"volumeName": "pv-" + claim}, "status": kubetest.Object{"phase": "Bound"},
		})
		s.Put(kube.Volumes(), kubetest.Object{
			"apiVersion": "v1", "kind": "PersistentVolume",
			"metadata": kubetest.Object{"name": "pv-" + claim, "uid": "uid-pv-" + claim},
			"spec": kubetest.Object{
				"persistentVolumeReclaimPolicy": "Delete",
				"claimRef":                      kubetest.Object{"namespace": "kafka", "name": claim, "uid": "uid-" + claim},
				"csi":                           kubetest.Object{"driver": "d", "volumeHandle": "vol-1"},
			},
			"status": kubetest.Object{"phase": phase},
		})
	}
	s.Put(kube.Pods(), kubetest.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": kubetest.Object{
			"namespace": "kafka", "name": "reader", "uid": "uid-reader", "creationTimestamp": "2026-11-24T03:00:00Z",
			"labels": kubetest.Object{
				"app.kubernetes.io/managed-by": "kafkarecover", "kafkarecover.io/operation": operation,
			},
		},
		"spec": kubetest.Object{"activeDeadlineSeconds": 3600}, "status": kubetest.Object{"phase": "Failed"},
	})
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := strings.ReplaceAll(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": [{"name": "c", "cluster": {"server": "URL"}}], "users": [{"name": "c", "user": {}}],
		"contexts": [{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "kafka"}}]}`, "URL", s.URL())
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// TestOutputsOfCommandsOnAClusterFollowTheirSchemas runs commands one after the other on one stand-in.
func TestOutputsOfCommandsOnAClusterFollowTheirSchemas(t *testing.T) {
	kubeconfig := standIn(t)
	for _, r := range []run{
		{"Leftovers", []string{"cleanup"}, exitcode.OK},
		{"Leftovers", []string{"cleanup", operation}, exitcode.OK},
		{"Leftovers", []string{"cleanup"}, exitcode.OK},
		{"Scan", []string{"scan", "--via", "objects"}, exitcode.Refused},
		{"Protection", []string{"protect", "kafka/my-cluster"}, exitcode.Incomplete},
		{"Protection", []string{"protect", "pv/pv-data-0-my-cluster-broker-0"}, exitcode.OK},
		{"Unprotection", []string{"unprotect", "kafka/my-cluster", "--to", "Delete", "--yes"}, exitcode.Refused},
		{
			"Unprotection", []string{"unprotect", "pv/pv-data-0-my-cluster-broker-0", "--to", "Delete", "--yes"},
			exitcode.OK,
		},
	} {
		t.Run(strings.Join(r.args, " "), func(t *testing.T) {
			r.args = append(r.args, "--kubeconfig", kubeconfig)
			follows(t, r.kind, execute(t, r))
		})
	}
}
