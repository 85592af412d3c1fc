package protect_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func TestWhatIsSaved(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	object := func(kind, name string, more kubetest.Object) kubetest.Object {
		o := kubetest.Object{
			"apiVersion": "v1", "kind": kind, "metadata": kubetest.Object{"namespace": namespace, "name": name},
		}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	attachment := object("VolumeAttachment", "csi-1", nil)
	delete(metaOf(attachment), "namespace")
	g.server.Put(kube.VolumeAttachments(), attachment)
	g.server.Put(strimzi.KafkaGVR("v1"),
		object("Kafka", "c", kubetest.Object{"status": kubetest.Object{"clusterId": "the-cluster-id"}}))
	g.server.Put(strimzi.NodePoolGVR("v1"),
		object("KafkaNodePool", "p", kubetest.Object{"status": kubetest.Object{"nodeIds": []any{7}}}))
	g.server.Put(strimzi.PodSetGVR("v1"), object("StrimziPodSet", "c-p", nil))
	g.server.Put(kube.ConfigMaps(),
		object("ConfigMap", "c-p-0", kubetest.Object{"data": kubetest.Object{"cluster.id": "x"}}))
	g.server.Put(kube.Secrets(),
		object("Secret", "c-clients-ca", kubetest.Object{"data": kubetest.Object{"ca.key": "c2VjcmV0"}}))

	r := g.run(protect.Scope{Namespace: namespace})
	want := []protect.Saved{
		{File: "kafka/configmaps.yaml", Count: 1}, {File: "kafka/kafkanodepools.yaml", Count: 1},
		{File: "kafka/kafkas.yaml", Count: 1}, {File: "kafka/persistentvolumeclaims.yaml", Count: 1},
		{File: "kafka/secret-names.yaml", Count: 1}, {File: "kafka/strimzipodsets.yaml", Count: 1},
		{File: "persistentvolumes.yaml", Count: 1}, {File: "volumeattachments.yaml", Count: 1},
	}
	if diff := cmp.Diff(want, r.Saved); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
	if want := filepath.Join(g.state, "protect-20261124-031502-9f3a"); r.Folder != want {
		t.Errorf("folder: want %q, got %q", want, r.Folder)
	}
	all := readAll(t, r.Folder)
	for file, holds := range map[string]string{
		"kafka/kafkas.yaml": "the-cluster-id", "kafka/kafkanodepools.yaml": "nodeIds",
		"kafka/secret-names.yaml": "c-clients-ca", "persistentvolumes.yaml": "vol-data-0-c-p-0",
		"result.json": `"policyBefore": "Delete"`,
	} {
		if !strings.Contains(all[file], holds) {
			t.Errorf("%s must hold %q, it is\n%s", file, holds, all[file])
		}
	}
	for file, content := range all {
		if strings.Contains(content, "c2VjcmV0") || strings.Contains(content, "managedFields") {
			t.Errorf("%s holds a secret, or what is only in the way:\n%s", file, content)
		}
	}
	for _, req := range g.server.Requests() {
		if req.Resource == "secrets" && !strings.HasPrefix(req.Accept, "application/json;as=PartialObjectMetadataList") {
			t.Errorf("secrets were asked for with their contents: Accept %q", req.Accept)
		}
	}
}

// readAll reads a folder and requires that nobody else may.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v: others may look at it", path, info.Mode().Perm())
		}
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheRecordIsWrittenBeforeTheFirstChange(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	var before protect.Result
	g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb != "patch" {
			return nil
		}
		raw, err := os.ReadFile(filepath.Join(g.state, "protect-20261124-031502-9f3a", "result.json"))
		if err := errors.Join(err, json.Unmarshal(raw, &before)); err != nil {
			t.Errorf("read the record while the first change is made: %v", err)
		}
		return nil
	})
	g.run(protect.Scope{Namespace: namespace})
	if len(before.Volumes) != 1 || before.Volumes[0].PolicyBefore != "Delete" || before.Volumes[0].State == protect.Safe {
		t.Errorf("the record must tell the policy, and claim nothing yet; it was %+v", before.Volumes)
	}
}

// TestANamespaceIsSavedAsARestoreTakesIt saves one that is being deleted, which is when people protect.
func TestANamespaceIsSavedAsARestoreTakesIt(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	g.server.Put(kube.Namespaces(), kubetest.Object{
		"apiVersion": "v1", "kind": "Namespace", "spec": kubetest.Object{"finalizers": []any{"kubernetes"}},
		"metadata": kubetest.Object{
			"name": namespace, "labels": kubetest.Object{"pod-security.kubernetes.io/enforce": "restricted"},
			"deletionTimestamp": "2026-11-24T03:15:00Z",
		},
	})
	g.server.Put(kube.ResourceQuotas(), kubetest.Object{
		"apiVersion": "v1", "kind": "ResourceQuota", "metadata": kubetest.Object{"name": "team", "namespace": namespace},
		"spec": kubetest.Object{"hard": kubetest.Object{"pods": "20"}},
	})
	g.server.Put(kube.LimitRanges(), kubetest.Object{
		"apiVersion": "v1", "kind": "LimitRange", "metadata": kubetest.Object{"name": "defaults", "namespace": namespace},
	})
	r := g.run(protect.Scope{Namespace: namespace})
	file := filepath.Join(r.Folder, namespace, "namespace.yaml")
	objects, err := declared.Load(t.Context(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	picked, err := declared.PickNamespace(objects, namespace)
	if err != nil {
		t.Fatal(err)
	}
	labels := picked.Object.GetLabels()
	if labels["pod-security.kubernetes.io/enforce"] != "restricted" || len(picked.Limits) != 2 || len(picked.Left) > 0 {
		t.Errorf("got %+v", picked)
	}
	if len(picked.Warnings) != 1 || picked.Object.GetDeletionTimestamp() != nil {
		t.Errorf("want it told that it was being deleted, got %q", picked.Warnings)
	}
}
