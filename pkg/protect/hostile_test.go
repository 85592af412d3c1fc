package protect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
)

// rendered is a result as a person sees it, all columns.
func rendered(t *testing.T, result any) string {
	t.Helper()
	streams, _, out, _ := iostreams.Test()
	if err := (output.Printer{IO: streams, Format: output.FormatWide}).Print(result); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHostileObjects(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for i, o := range []kubetest.Object{
		{"metadata": kubetest.Object{"name": "pv-empty"}},
		{"metadata": kubetest.Object{"name": "pv-wrong", "finalizers": "x", "labels": 3, "annotations": []any{1}}, "spec": 7},
		{
			"metadata": kubetest.Object{"name": "pv-odd\x1b[31m", "uid": 5},
			"spec": kubetest.Object{
				"claimRef": kubetest.Object{"namespace": namespace, "name": "data-0-c-p-0", "uid": nil},
				"csi":      []any{}, "nodeAffinity": kubetest.Object{"required": "no"}, "persistentVolumeReclaimPolicy": 1,
			},
			"status": "Bound",
		},
		{
			"metadata": kubetest.Object{"name": "pv-out"},
			"spec":     kubetest.Object{"claimRef": kubetest.Object{"namespace": "../../../out", "name": "../x"}},
		},
	} {
		o["apiVersion"], o["kind"] = "v1", "PersistentVolume"
		g.server.Put(kube.Volumes(), o)
		c := kubetest.Object{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"metadata": kubetest.Object{"namespace": namespace, "name": "data-0-c-p-" + string(rune('0'+i)), "labels": []any{}},
		}
		if i > 0 {
			c["spec"] = kubetest.Object{"volumeName": i}
		}
		g.server.Put(kube.Claims(), c)
	}
	shown := ""
	for _, scope := range []protect.Scope{
		{Namespace: namespace}, {Namespace: namespace, Cluster: "c"},
		{Volumes: []string{"pv-empty", "pv-wrong", "pv-out", "pv-odd\x1b[31m"}},
	} {
		g.state = t.TempDir()
		shown += rendered(t, g.run(scope))
		shown += rendered(t, g.plan(scope, ""))
	}
	if strings.Contains(shown, "\x1b") {
		t.Errorf("a name may not steer the terminal:\n%q", shown)
	}
	if _, err := os.Stat(filepath.Join(g.state, "..", "out")); err == nil {
		t.Error("a volume's namespace led out of the folder")
	}
}
