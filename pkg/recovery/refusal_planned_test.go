package recovery_test

import (
	"context"
	"os"
	"path"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// dualRole is the StatefulSet whose pods the disks of that fixture are of.
const dualRole = "my-cluster-dual-role"

// refused is the stand of a state in which a rule refuses.
type refused struct {
	*stand
	// declared are the manifests of resources that are gone; nil where they are there.
	declared *declared.Cluster
}

// stand brings the state about.
func (c refusing) stand(t *testing.T, all *wholeDisks) *refused {
	t.Helper()
	var s *refused
	switch d := c.disksFor(t, all); {
	case c.planned:
		gone := newLost(t, d, true)
		s = &refused{stand: gone.stand, declared: gone.manifests}
	case c.set:
		s = &refused{stand: newStand(t, d, false)}
		s.leaveSet()
	default:
		s = &refused{stand: newStand(t, d, false)}
	}
	if c.objects != nil {
		c.objects(s)
	}
	return s
}

// leaveSet leaves of a cluster without Strimzi its StatefulSet, at zero, and volumes whose claims are gone.
func (s *refused) leaveSet() {
	s.server.Remove(strimzi.KafkaGVR("v1"), standNamespace, standCluster)
	for _, pool := range []string{"broker", "controller"} {
		s.server.Remove(strimzi.NodePoolGVR("v1"), standNamespace, pool)
	}
	s.server.Put(kube.Namespaces(), kubetest.Object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": kubetest.Object{"name": standNamespace},
	})
	s.server.Put(kube.StatefulSets(), kubetest.Object{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": kubetest.Object{"namespace": standNamespace, "name": dualRole, "uid": "uid-set"},
		"spec": kubetest.Object{
			"replicas": 0, "serviceName": dualRole,
			"volumeClaimTemplates": []any{kubetest.Object{
				"metadata": kubetest.Object{"name": "data"},
				"spec": kubetest.Object{
					"accessModes": []any{"ReadWriteOnce"},
					"resources":   kubetest.Object{"requests": kubetest.Object{"storage": "1Gi"}},
				},
			}},
			"template": kubetest.Object{"spec": kubetest.Object{"containers": []any{kubetest.Object{
				"name": "kafka", "env": []any{
					kubetest.Object{"name": "KAFKA_PROCESS_ROLES", "value": "broker,controller"},
					kubetest.Object{"name": "CLUSTER_ID", "value": s.disks.clusterID},
				},
			}}}},
		},
	})
	for name := range s.disks.read {
		s.release(name)
	}
}

// release takes a claim away; its volume stays.
func (s *stand) release(claim string) {
	s.t.Helper()
	s.server.Remove(kube.Claims(), standNamespace, claim)
	s.change(kube.Volumes(), "pv-"+claim, func(o kubetest.Object) {
		o["status"] = kubetest.Object{"phase": volume.PhaseReleased}
	})
}

// look is what a restore sees, with everything that its request has rules judge by.
func (c refusing) look(ctx context.Context, s *refused, req recovery.LookRequest) (*recovery.Observation, error) {
	var seen *recovery.Observation
	var err error
	switch {
	case req.StatefulSet:
		seen, err = s.lookSet(ctx, req)
	case req.Planned != nil:
		seen, err = s.lookReleased(ctx, req)
	default:
		seen, err = s.look(ctx, req)
	}
	if err != nil || req.Depth == recovery.Objects {
		return seen, err
	}
	for i := range seen.Volumes {
		if c.seen != nil {
			c.seen(&seen.Volumes[i])
		}
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Set: seen.Set, Excluded: req.Excluded,
		ClusterID: req.ClusterID, Lost: req.Lost, VolumesForbidden: seen.VolumesForbidden,
	})
	return seen, nil
}

// read puts on volumes what is on the disk that each stands for.
func (s *refused) read(list []volume.Volume) {
	for i := range list {
		v := &list[i]
		on := s.disks.read[path.Base(obj.String(v.PV.Object, "spec", "local", "path"))]
		v.Via, v.State, v.Contents, v.Image = "pod", volume.Read, on.Contents, on.Image
		v.MetadataVersion, v.Topics = on.MetadataVersion, on.Topics
	}
}

// lookReleased looks at volumes, most without a claim, and the resources that are to be made for them.
func (s *refused) lookReleased(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	live, err := scan.CollectNamed(ctx, s.client, req.Namespace, scan.Named{
		Cluster: req.Name, Planned: req.Planned, Held: req.Held,
	})
	if err != nil {
		return nil, err
	}
	c := live.Pick(req.Name, req.Planned)
	if req.Depth == recovery.Volumes {
		c.Released = live.Lent(c)
		s.read(c.Released)
		s.read(c.Volumes)
		if err := c.Arrange(req.Excluded, req.Lost); err != nil {
			return nil, err
		}
	}
	return &recovery.Observation{
		Cluster: c.Kafka, Volumes: c.Volumes, Others: c.Others, Planned: c.Planned, Placements: c.Placements,
	}, nil
}

// lookSet looks at volumes and the StatefulSet that they are of.
func (s *refused) lookSet(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	opts := scan.Options{Place: true, Excluded: req.Excluded}
	c, err := scan.CollectSet(ctx, s.client, req.Namespace, req.Name, opts)
	if err != nil {
		return nil, err
	}
	if req.Depth == recovery.Volumes {
		c.Released = (&scan.Live{}).Lent(c)
		s.read(c.Released)
		s.read(c.Volumes)
		c.ArrangeSet(opts)
	}
	return &recovery.Observation{
		Set: c.Set, Volumes: c.Volumes, Others: c.Others, Placements: c.Placements,
	}, nil
}

// releaseAll takes every claim away.
func (s *refused) releaseAll() {
	for name := range s.disks.read {
		s.release(name)
	}
}

// plannedRefusals are of rules about resources and claims that are to be made for volumes that are left.
func plannedRefusals() []refusing {
	broker0 := claimOf("0-broker-0")
	return []refusing{
		{
			rule: "several-volumes-for-slot", state: "two volumes had claims of one name", planned: true,
			subject: "slot/" + broker0, says: []string{"pv/pv-" + broker0, "pv/old"},
			objects: func(s *refused) { s.releaseAll(); s.released("old", broker0, broker0) },
		},
		{
			rule: "volume-without-claim", state: "two volumes had claims of one name", planned: true, subject: "pv/old",
			objects: func(s *refused) { s.releaseAll(); s.released("old", broker0, broker0) },
		},
		{
			rule: "lost-volume-is-there", state: "named as lost", planned: true, subject: "pvc/" + broker0,
			says: []string{"is not lost", "partitions"}, objects: func(s *refused) { s.releaseAll() },
			request: func(r *recovery.Request) { r.Lost = []string{"node/0"} },
		},
		{
			rule: "empty-controller-before-catch-up", state: "two of three controllers named as lost", planned: true,
			subject: "cluster", says: []string{"node/3 and node/5", "1 of 3"},
			objects: func(s *refused) { s.releaseAll(); s.drop("0-controller-3", "0-controller-5") },
			request: func(r *recovery.Request) { r.Lost = []string{"node/3", "node/5"} },
		},
	}
}

// setRefusals are of rules about StatefulSets.
func setRefusals() []refusing {
	const set = "statefulset/" + dualRole
	claim := func(ordinal string) string { return "data-" + dualRole + "-" + ordinal }
	change := func(do func(kubetest.Object)) func(*refused) {
		return func(s *refused) { s.change(kube.StatefulSets(), dualRole, do) }
	}
	cases := []refusing{
		{
			rule: "statefulset-cluster-id", state: "the environment names another", subject: set,
			says: []string{volumes.OtherClusterID, "kubectl patch " + set},
			objects: change(func(o kubetest.Object) {
				container := obj.Maps(o, "spec", "template", "spec", "containers")[0]
				obj.Maps(container, "env")[1]["value"] = volumes.OtherClusterID
			}),
		},
		{
			rule: "statefulset-would-make-claims", state: "it asks for pods", subject: set,
			says:    []string{"kubectl scale " + set, "--replicas=0"},
			objects: change(func(o kubetest.Object) { spec(o)["replicas"] = 3 }),
		},
		{
			rule: "statefulset-disk-empty", state: "one of three", subject: "pvc/" + claim("2"),
			disks: func(d disksOf) { d.empty(claim("2")) },
		},
		{
			rule: "statefulset-ordinal-missing", state: "one of three", subject: "pvc/" + claim("1"),
			says:    []string{"pod/" + dualRole + "-1"},
			objects: func(s *refused) { s.server.Remove(kube.Volumes(), "", "pv-"+claim("1")) },
		},
		{
			rule: "statefulset-node-ids", state: "one of another set", subject: set, says: []string{"ordinal 2", "17"},
			disks: func(d disksOf) {
				d.properties(claim("2"), "node.id", "node.id=17")
				d.must(os.Rename(d.path(claim("2")), d.logDir(claim("2"), "17")))
			},
		},
	}
	for i := range cases {
		cases[i].set, cases[i].fixture = true, volumes.DualRole
	}
	return cases
}
