package protect_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const namespace = "kafka"

// ground is a stand-in for an API server with the claims and volumes of a cluster.
type ground struct {
	*testing.T
	server *kubetest.Server
	client *kube.Client
	state  string
}

func newGround(t *testing.T) *ground {
	t.Helper()
	s := kubetest.New(t)
	return &ground{T: t, server: s, client: s.Client(t, namespace), state: t.TempDir()}
}

func (g *ground) deps() protect.Deps {
	return protect.Deps{
		Kube: g.client, StateDir: g.state, Random: bytes.NewReader([]byte{0x9f, 0x3a}),
		Now: func() time.Time { return time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC) },
	}
}

func (g *ground) run(scope protect.Scope) *protect.Result {
	g.Helper()
	r, err := protect.Run(context.Background(), g.deps(), scope)
	if err != nil {
		g.Fatal(err)
	}
	return r
}

func (g *ground) plan(scope protect.Scope, to string) *protect.Unprotection {
	g.Helper()
	u, err := protect.Plan(context.Background(), g.deps(), scope, to)
	if err != nil {
		g.Fatal(err)
	}
	return u
}

// bind stores a claim and the volume pv-CLAIM that is bound to it.
func (g *ground) bind(claim, policy string, change ...func(pv, pvc kubetest.Object)) {
	pv := volumeObject("pv-"+claim, "Bound", policy, claim)
	pvc := claimObject(claim, "pv-"+claim)
	for _, c := range change {
		c(pv, pvc)
	}
	g.server.Put(kube.Volumes(), pv)
	g.server.Put(kube.Claims(), pvc)
}

// leave stores a volume whose claim is gone.
func (g *ground) leave(claim, phase, policy string) {
	g.server.Put(kube.Volumes(), volumeObject("pv-"+claim, phase, policy, claim))
}

func (g *ground) policyOf(pv string) string {
	o := g.server.Get(kube.Volumes(), "", pv)
	spec, _ := o["spec"].(kubetest.Object)
	policy, _ := spec["persistentVolumeReclaimPolicy"].(string)
	return policy
}

func metaOf(o kubetest.Object) kubetest.Object {
	m, _ := o["metadata"].(kubetest.Object)
	return m
}

func volumeObject(name, phase, policy, claim string) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": kubetest.Object{
			"name": name, "uid": "uid-" + name, "finalizers": []any{"kubernetes.io/pv-protection"},
			"labels":        kubetest.Object{"topology.kubernetes.io/zone": "zone-a"},
			"managedFields": []any{kubetest.Object{"manager": "somebody"}},
		},
		"spec": kubetest.Object{
			"persistentVolumeReclaimPolicy": policy,
			"capacity":                      kubetest.Object{"storage": "1Gi"},
			"csi":                           kubetest.Object{"driver": "ebs.csi.aws.com", "volumeHandle": "vol-" + claim},
			"claimRef":                      kubetest.Object{"namespace": namespace, "name": claim, "uid": "uid-" + claim},
		},
		"status": kubetest.Object{"phase": phase},
	}
}

func claimObject(name, pv string) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": kubetest.Object{"namespace": namespace, "name": name, "uid": "uid-" + name},
		"spec":     kubetest.Object{"volumeName": pv},
		"status":   kubetest.Object{"phase": "Bound"},
	}
}

// ofCluster labels a claim as the operator does.
func ofCluster(cluster string) func(pv, pvc kubetest.Object) {
	return func(_, pvc kubetest.Object) {
		metaOf(pvc)["labels"] = kubetest.Object{strimzi.ClusterLabel: cluster, strimzi.NameLabel: cluster + "-kafka"}
	}
}

func terminating(o kubetest.Object, finalizers ...any) {
	metaOf(o)["deletionTimestamp"] = "2026-11-24T03:00:00Z"
	metaOf(o)["finalizers"] = finalizers
}

// states is what a result says of each volume, one line each.
func states(r *protect.Result) string {
	var b strings.Builder
	for _, v := range r.Volumes {
		fmt.Fprintf(&b, "%s %s\n", v.Name, v.State)
	}
	return b.String()
}
