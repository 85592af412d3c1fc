//go:build cluster

package operator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/test/operator/crds"
)

const recordedID = "gRzLIu5CSRWfq1tVk4NJJA"

// TestTheDoubleWritesWhatTheRealOperatorWasRecordedToWrite brings the recorded cluster up again from its specs alone
// and compares everything written on the way with the recordings. It runs in namespace "kafka" because names of hosts
// are part of what is compared.
func TestTheDoubleWritesWhatTheRealOperatorWasRecordedToWrite(t *testing.T) {
	if served() != crds.V1 {
		t.Skip("the recordings are of a release that serves v1 only")
	}
	g := newGround(t, "kafka")
	for _, claim := range recorded(t, "pvcs.yaml") {
		g.volumes((&unstructured.Unstructured{Object: claim}).GetName())
	}
	for _, pool := range recorded(t, "kafkanodepools.yaml") {
		g.create(pools, pool, nil)
	}
	g.create(kafkas, recorded(t, "kafka.yaml")[0], map[string]string{"strimzi.io/pause-reconciliation": "true"})
	g.start(nil)
	g.condition("ReconciliationPaused")
	g.patch(`{"status":{"clusterId":"`+recordedID+`"}}`, "status")
	g.pause("false")
	g.condition("Ready")

	gvr := func(resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Version: "v1", Resource: resource}
	}
	for _, c := range []struct {
		file string
		gvr  schema.GroupVersionResource
	}{
		{"kafka.yaml", kafkas}, {"kafkanodepools.yaml", pools}, {"strimzipodsets.yaml", podSets},
		{"configmaps.yaml", gvr("configmaps")}, {"pvcs.yaml", gvr("persistentvolumeclaims")},
		{"pod-broker-0.yaml", gvr("pods")},
	} {
		t.Run(c.file, func(t *testing.T) {
			for _, want := range recorded(t, c.file) {
				name := (&unstructured.Unstructured{Object: want}).GetName()
				err := within(20*time.Second, func(ctx context.Context) error {
					got, err := g.dynamic.Resource(c.gvr).Namespace("kafka").Get(ctx, name, metav1.GetOptions{})
					if err != nil {
						return err
					}
					if diff := cmp.Diff(normal(want), normal(got.Object)); diff != "" {
						return fmt.Errorf("%s differs from the recording (-recorded +double):\n%s", name, diff)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("secrets-without-values.json", func(t *testing.T) { g.compareSecrets(t) })
	t.Run("status-while-pausing.jsonl", func(t *testing.T) { g.comparePausing(t) })
}

func recorded(t *testing.T, file string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "observed", file))
	check(t, err)
	var object map[string]any
	check(t, yaml.Unmarshal(raw, &object))
	items, isList := object["items"].([]any)
	if !isList {
		return []map[string]any{object}
	}
	found := make([]map[string]any, len(items))
	for i, item := range items {
		found[i], _ = item.(map[string]any)
	}
	return found
}

// normal takes out what cannot be the same twice: identities, times, hashes, the node and volume chosen; and what the
// double does differently, which is the scheduler of simulated pods and everything about encryption in server.config.
func normal(object map[string]any) map[string]any {
	raw, _ := json.Marshal(object)
	var copied map[string]any
	_ = json.Unmarshal(raw, &copied)
	kind := copied["kind"]
	normalMeta(copied)
	spec, _ := copied["spec"].(map[string]any)
	switch kind {
	case "Pod":
		delete(copied, "status")
		delete(spec, "nodeName")
	case "PersistentVolumeClaim":
		delete(spec, "volumeName")
	case "ConfigMap":
		data, _ := copied["data"].(map[string]any)
		text, _ := data["server.config"].(string)
		data["server.config"] = comparableConfig(text)
	}
	return walk(copied).(map[string]any)
}

func normalMeta(object map[string]any) {
	meta, _ := object["metadata"].(map[string]any)
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields"} {
		delete(meta, field)
	}
	owners, _ := meta["ownerReferences"].([]any)
	for _, owner := range owners {
		delete(owner.(map[string]any), "uid")
	}
	annotations, _ := meta["annotations"].(map[string]any)
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	delete(annotations, "pv.kubernetes.io/bound-by-controller")
	for key := range annotations {
		if slices.Contains([]string{
			"strimzi.io/configuration-hash", "strimzi.io/resource-revision", "strimzi.io/revision",
			"strimzi.io/server-cert-hash",
		}, key) {
			annotations[key] = "HASH"
		}
	}
	if len(annotations) == 0 {
		delete(meta, "annotations")
	}
}

// walk normalises below: times of conditions, the scheduler, and the metadata of pods inside pod sets.
func walk(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if _, embedded := v["metadata"].(map[string]any); embedded && v["kind"] == "Pod" {
			normalMeta(v)
		}
		delete(v, "lastTransitionTime")
		for key, below := range v {
			v[key] = walk(below)
		}
		if v["schedulerName"] == "operator-double-simulated" {
			v["schedulerName"] = "default-scheduler"
		}
	case []any:
		for i := range v {
			v[i] = walk(v[i])
		}
	}
	return value
}

// comparableConfig is server.config as a sorted list of its settings without those about encryption.
func comparableConfig(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.NewReplacer(":SSL", ":PLAINTEXT").Replace(line)
		skipped := strings.Contains(line, ".ssl.") || strings.HasPrefix(line, "config.providers") ||
			line == "# Control Plane listener" || line == "# Replication listener" || strings.Trim(line, "#") == ""
		if !skipped {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (g *ground) compareSecrets(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "observed", "secrets-without-values.json"))
	check(t, err)
	type secret struct {
		Name            string            `json:"name"`
		Type            string            `json:"type"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		OwnerReferences []map[string]any  `json:"ownerReferences"`
		Keys            []string          `json:"keys"`
	}
	var want, got []secret
	check(t, json.Unmarshal(raw, &want))
	list, err := g.client.CoreV1().Secrets("kafka").List(t.Context(), metav1.ListOptions{})
	check(t, err)
	for i := range list.Items {
		s := &list.Items[i]
		found := secret{Name: s.Name, Type: string(s.Type), Labels: s.Labels, Annotations: s.Annotations}
		owners, err := json.Marshal(s.OwnerReferences)
		check(t, err)
		check(t, json.Unmarshal(owners, &found.OwnerReferences))
		for key := range s.Data {
			found.Keys = append(found.Keys, key)
		}
		slices.Sort(found.Keys)
		got = append(got, found)
	}
	for _, list := range [][]secret{want, got} {
		for i := range list {
			for _, owner := range list[i].OwnerReferences {
				delete(owner, "uid")
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Secrets differ from the recording (-recorded +double):\n%s", diff)
	}
}

// comparePausing pauses and un-pauses and compares every version of the status on the way with the recording.
func (g *ground) comparePausing(t *testing.T) {
	type version struct {
		Pause  string         `json:"pause"`
		Status map[string]any `json:"status"`
	}
	var want []version
	file, err := os.Open(filepath.Join("testdata", "observed", "status-while-pausing.jsonl"))
	check(t, err)
	defer file.Close() //nolint:errcheck // only read
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var v version
		check(t, json.Unmarshal(scanner.Bytes(), &v))
		want = append(want, v)
	}
	current := g.kafka()
	watch, err := g.dynamic.Resource(kafkas).Namespace("kafka").
		Watch(t.Context(), metav1.ListOptions{ResourceVersion: current.GetResourceVersion()})
	check(t, err)
	defer watch.Stop()
	asVersion := func(object *unstructured.Unstructured) version {
		status, _ := object.Object["status"].(map[string]any)
		raw, err := json.Marshal(walk(status))
		check(t, err)
		v := version{Pause: object.GetAnnotations()["strimzi.io/pause-reconciliation"]}
		check(t, json.Unmarshal(raw, &v.Status))
		return v
	}
	got := []version{asVersion(current)}
	steps := map[int]string{1: "true", 3: "false"}
	for len(got) < len(want) {
		if value, ok := steps[len(got)]; ok {
			g.pause(value)
		}
		event := <-watch.ResultChan()
		object, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			t.Fatalf("watch ended after %d of %d versions", len(got), len(want))
		}
		got = append(got, asVersion(object))
	}
	for i := range want {
		walk(want[i].Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the status' versions differ from the recording (-recorded +double):\n%s", diff)
	}
}
