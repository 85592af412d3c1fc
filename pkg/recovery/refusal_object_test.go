package recovery_test

import (
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// deletedAt is when the API server was asked to delete an object that is still there.
const deletedAt = "2026-01-01T00:00:00Z"

func meta(o kubetest.Object) kubetest.Object { return obj.Map(o, "metadata") }
func spec(o kubetest.Object) kubetest.Object { return obj.Map(o, "spec") }

// kafkaSpec sets a value in spec.kafka; nil takes it out.
func (s *stand) kafkaSpec(key string, value any) {
	s.t.Helper()
	s.change(strimzi.KafkaGVR("v1"), standCluster, func(o kubetest.Object) {
		if obj.Map(o, "spec", "kafka")[key] = value; value == nil {
			delete(obj.Map(o, "spec", "kafka"), key)
		}
	})
}

// poolSpec sets a value in the spec of a pool.
func (s *stand) poolSpec(pool, key string, value any) {
	s.t.Helper()
	s.change(strimzi.NodePoolGVR("v1"), pool, func(o kubetest.Object) { spec(o)[key] = value })
}

// nextNodeIDs annotates a pool.
func (s *stand) nextNodeIDs(pool, ids string) {
	s.t.Helper()
	s.change(strimzi.NodePoolGVR("v1"), pool, func(o kubetest.Object) {
		meta(o)["annotations"] = kubetest.Object{"strimzi.io/next-node-ids": ids}
	})
}

// poolVolume changes a volume in the storage of a pool.
func (s *stand) poolVolume(pool string, id int, change func(kubetest.Object)) {
	s.t.Helper()
	s.change(strimzi.NodePoolGVR("v1"), pool, func(o kubetest.Object) {
		change(obj.Maps(o, "spec", "storage", "volumes")[id])
	})
}

// label labels a claim as the operator does.
func (s *stand) label(claim, pool string) {
	s.t.Helper()
	s.change(kube.Claims(), claim, func(o kubetest.Object) {
		meta(o)["labels"] = kubetest.Object{strimzi.ClusterLabel: standCluster, strimzi.PoolLabel: pool}
	})
}

// released adds a volume that lies beside the one of a claim: on the same disk, of a claim that had that name.
func (s *stand) released(name, disk, claim string) {
	s.t.Helper()
	o := s.server.Get(kube.Volumes(), "", "pv-"+disk)
	o["metadata"] = kubetest.Object{"name": name, "uid": "uid-" + name}
	spec(o)["persistentVolumeReclaimPolicy"] = volume.PolicyRetain
	spec(o)["claimRef"] = kubetest.Object{"namespace": standNamespace, "name": claim, "uid": "uid-of-before"}
	o["status"] = kubetest.Object{"phase": volume.PhaseReleased}
	s.server.Put(kube.Volumes(), o)
}

// drop takes the claims of a node away, and their volumes.
func (s *stand) drop(shorts ...string) {
	for _, short := range shorts {
		s.server.Remove(kube.Claims(), standNamespace, claimOf(short))
		s.server.Remove(kube.Volumes(), "", "pv-"+claimOf(short))
	}
}

// objectRefusals are of rules about claims, volumes and the nodes they are for.
func objectRefusals() []refusing {
	const broker0 = "pvc/data-0-my-cluster-broker-0"
	claim, pv := claimOf("0-broker-0"), "pv-"+claimOf("0-broker-0")
	return []refusing{
		{
			rule: "claim-terminating", state: "a pod still holds it", subject: broker0,
			says: []string{"kubernetes.io/pvc-protection", "kafkarecover protect"},
			objects: func(s *refused) {
				s.change(kube.Claims(), claim, func(o kubetest.Object) {
					meta(o)["deletionTimestamp"], meta(o)["finalizers"] = deletedAt, []any{"kubernetes.io/pvc-protection"}
				})
			},
		},
		{
			rule: "volume-terminating", state: "its claim still holds it", subject: "pv/" + pv,
			says: []string{"kubernetes.io/pv-protection"},
			objects: func(s *refused) {
				s.change(kube.Volumes(), pv, func(o kubetest.Object) {
					meta(o)["deletionTimestamp"], meta(o)["finalizers"] = deletedAt, []any{"kubernetes.io/pv-protection"}
				})
			},
		},
		{
			rule: "claim-not-bound", state: "the volume is another claim's of that name", subject: broker0,
			says: []string{"does not name it"},
			objects: func(s *refused) {
				s.change(kube.Volumes(), pv, func(o kubetest.Object) { obj.Map(o, "spec", "claimRef")["uid"] = "uid-of-before" })
			},
		},
		{
			rule: "shadowed-by-new-volume", state: "the former volume is Released", subject: broker0,
			says: []string{"pv/old: Released", "--rebind-claims"},
			objects: func(s *refused) {
				s.released("old", claim, claim)
				s.change(kube.Volumes(), "old", func(o kubetest.Object) { obj.Map(o, "spec", "local")["path"] = "/old" })
			},
		},
		{
			rule: "same-disk-twice", state: "one handle, two volumes", subject: "pv/old", says: []string{"pv/" + pv},
			objects: func(s *refused) {
				s.change(kube.Volumes(), pv, func(o kubetest.Object) {
					delete(spec(o), "local")
					spec(o)["csi"] = kubetest.Object{"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}
				})
				s.released("old", claim, claim)
			},
		},
		{
			rule: "reclaim-policy-unknown", state: "volumes may not be seen", subject: "cluster",
			says: []string{"volumes-clusterrole.yaml"}, forbidden: kube.Volumes().Resource, keepsPolicies: true,
		},
		{
			rule: "slot-unknown", state: "the labels are another pool's", subject: broker0,
			says:    []string{`pool "controller", which the name does not fit`},
			objects: func(s *refused) { s.label(claim, "controller") },
		},
		{
			rule: "slot-missing", state: "a claim would be made, empty", subject: "pvc/" + claimOf("1-broker-2"),
			says: []string{"for node 2 of pool/broker"}, staysRefused: true,
			objects: func(s *refused) { s.drop("1-broker-2") },
		},
		{
			rule: "slot-missing", state: "a registered broker is in no pool", subject: "node/2",
			says: []string{"registered broker"},
			objects: func(s *refused) {
				s.drop("0-broker-2", "1-broker-2")
				s.poolSpec("broker", "replicas", 2)
				s.nextNodeIDs("controller", "[3-5]")
			},
		},
		{
			rule: "node-ids-shifted", state: "the pool asks for others", subject: "pool/broker",
			says:    []string{"strimzi.io/next-node-ids='[0, 1, 2]'"},
			objects: func(s *refused) { s.nextNodeIDs("broker", "[10-12]") },
		},
		{
			rule: "pool-missing", state: "no brokers", subject: "pool/broker", says: []string{"KafkaNodePool"},
			objects: func(s *refused) {
				for name := range s.disks.read {
					if strings.Contains(name, "-broker-") {
						s.label(name, "broker")
					}
				}
				s.server.Remove(strimzi.NodePoolGVR("v1"), standNamespace, "broker")
				s.nextNodeIDs("controller", "[3-5]")
			},
		},
	}
}

// settingRefusals are of rules about what the resources ask for.
func settingRefusals() []refusing {
	const kafka = "kafka/my-cluster"
	controller3 := "pvc/" + claimOf("0-controller-3")
	return []refusing{
		{
			rule: "storage-type-mismatch", state: "a single volume instead of JBOD", subject: controller3,
			says: []string{"(the only one)"},
			objects: func(s *refused) {
				s.poolSpec("controller", "storage", kubetest.Object{"type": "persistent-claim", "size": "1Gi"})
			},
		},
		{
			rule: "storage-size-smaller", state: "half of what a claim has", subject: controller3,
			says: []string{`"512Mi"`},
			objects: func(s *refused) {
				s.change(kube.Claims(), claimOf("0-controller-3"), func(o kubetest.Object) {
					spec(o)["storageClassName"] = "fast"
				})
				s.poolVolume("controller", 0, func(o kubetest.Object) { o["size"] = "512Mi" })
			},
		},
		{
			rule: "metadata-volume-moved", state: "kraftMetadata on the other volume",
			subject: "pvc/" + claimOf("0-broker-0"), says: []string{"set kraftMetadata: shared on volume 0 of pool/broker"},
			objects: func(s *refused) {
				s.poolVolume("broker", 0, func(o kubetest.Object) { delete(o, "kraftMetadata") })
				s.poolVolume("broker", 1, func(o kubetest.Object) { o["kraftMetadata"] = "shared" })
			},
		},
		{
			rule: "config-above-brokers", state: "four replicas, three brokers", subject: kafka,
			says: []string{"default.replication.factor"},
			objects: func(s *refused) {
				s.kafkaSpec("config", kubetest.Object{"default.replication.factor": 4})
			},
		},
		{
			rule: "binary-older-than-metadata", state: "Kafka 4.1 on 4.2", subject: kafka, says: []string{"4.1.0", "4.2-IV1"},
			objects: func(s *refused) { s.kafkaSpec("version", "4.1.0") },
		},
		{
			rule: "metadata-version-unset", state: "Kafka 4.2 on 3.9", subject: kafka, fixture: volumes.SplitRoles39,
			says:    []string{"would raise 3.9-IV0 to", `"metadataVersion":"3.9-IV0"`},
			objects: func(s *refused) { s.kafkaSpec("metadataVersion", nil) },
		},
		{
			rule: "user-operator-would-delete", state: "a user without a KafkaUser", subject: kafka,
			says: []string{`"carol": no KafkaUser`},
			objects: func(s *refused) {
				s.change(strimzi.KafkaGVR("v1"), standCluster, func(o kubetest.Object) {
					spec(o)["entityOperator"] = kubetest.Object{"userOperator": kubetest.Object{}}
				})
			},
			seen: func(v *volume.Volume) {
				if v.Image != nil {
					image := *v.Image
					image.Users, v.Image = []string{"carol"}, &image
				}
			},
		},
		{
			rule: "gitops-active", state: "Argo CD has applied it", subject: kafka,
			says: []string{"kubectl -n argocd patch applications.argoproj.io events"},
			objects: func(s *refused) {
				s.change(strimzi.KafkaGVR("v1"), standCluster, func(o kubetest.Object) {
					meta(o)["annotations"] = kubetest.Object{
						"argocd.argoproj.io/tracking-id": "events:kafka.strimzi.io/Kafka:kafka/my-cluster",
					}
				})
			},
		},
	}
}

// operatorImage gives the operator that version, with resources of the API version such an operator has.
func (s *stand) operatorImage(version string) {
	s.t.Helper()
	s.operatorSeen(func(o kubetest.Object) {
		obj.Maps(o, "spec", "template", "spec", "containers")[0]["image"] = "quay.io/strimzi/operator:" + version
	})
	s.server.Served = map[string][]string{"kafka.strimzi.io": {"v1beta2"}, "core.strimzi.io": {"v1beta2"}}
	for _, name := range []string{"broker", "controller", standCluster} {
		gvr := strimzi.NodePoolGVR
		if name == standCluster {
			gvr = strimzi.KafkaGVR
		}
		o := s.server.Get(gvr("v1"), standNamespace, name)
		s.server.Remove(gvr("v1"), standNamespace, name)
		o["apiVersion"] = "kafka.strimzi.io/v1beta2"
		s.server.Put(gvr("v1beta2"), o)
	}
}

// operatorSeen makes the Deployment what an operator's is, and changes it.
func (s *stand) operatorSeen(change func(kubetest.Object)) {
	s.t.Helper()
	s.change(kube.Deployments(), operatorName, func(o kubetest.Object) {
		obj.Map(o, "spec", "template")["metadata"] = kubetest.Object{
			"labels": kubetest.Object{strimzi.KindLabel: strimzi.OperatorKind},
		}
		change(o)
	})
}

// operatorRefusals are of rules about who manages the resource.
func operatorRefusals() []refusing {
	const operator = "operator/" + operatorNamespace + "/" + operatorName
	return []refusing{
		{
			rule: "several-operators", state: "another one of all namespaces", subject: "kafka/my-cluster",
			says: []string{"deployment strimzi/strimzi-cluster-operator", "deployment other/second"},
			objects: func(s *refused) {
				s.operatorSeen(func(kubetest.Object) {})
				second := s.server.Get(kube.Deployments(), operatorNamespace, operatorName)
				second["metadata"] = kubetest.Object{"namespace": "other", "name": "second", "uid": "uid-second"}
				i := slices.IndexFunc(operatorEnv(second), func(e kubetest.Object) bool {
					return e["name"] == "STRIMZI_NAMESPACE"
				})
				operatorEnv(second)[i]["value"] = "*"
				s.server.Put(kube.Deployments(), second)
			},
		},
		{
			rule: "operator-too-old", state: "0.35", subject: operator, says: []string{"0.35.1", "upgrade the operator"},
			objects: func(s *refused) { s.operatorImage("0.35.1") },
		},
		{
			rule: "operator-scaled-by-other", state: "OLM has made the Deployment", planned: true, subject: operator,
			says: []string{"clusterserviceversions.operators.coreos.com strimzi-cluster-operator.v1.2.0"},
			objects: func(s *refused) {
				s.change(kube.Deployments(), operatorName, func(o kubetest.Object) {
					meta(o)["ownerReferences"] = []any{kubetest.Object{
						"kind": "ClusterServiceVersion", "name": "strimzi-cluster-operator.v1.2.0",
					}}
				})
			},
			request: func(r *recovery.Request) { r.HoldOperator = true }, keepsPolicies: true,
		},
		{
			rule: "zookeeper-mode", state: "0.45 without annotations", subject: "kafka/my-cluster",
			says:    []string{"strimzi.io/kraft=enabled strimzi.io/node-pools=enabled"},
			objects: func(s *refused) { s.operatorImage("0.45.0") },
		},
	}
}
