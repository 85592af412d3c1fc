package finding_test

import (
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func objectCases() []ruleCase {
	beside := func(phase string) func(*world) {
		return func(w *world) {
			c := w.vol("0-broker-0").Claim
			w.Others = append(w.Others, volume.PersistentVolume{
				Name: "old", Phase: phase, ReclaimPolicy: "Retain", ClaimNamespace: c.Namespace, ClaimName: c.Name,
				ClaimUID: "before",
			})
		}
	}
	pv := func(w *world) *volume.PersistentVolume { return w.vol("0-broker-0").PV }
	return []ruleCase{
		{
			rule: "reclaim-policy-delete", name: "bound and released", want: []string{"pv/old", "pv/pv-6"},
			change: func(w *world) {
				beside("Released")(w)
				pv(w).ReclaimPolicy, w.Others[0].ReclaimPolicy = "Delete", "Delete"
			},
			says: []string{"kafkarecover protect"},
		},
		{
			rule: "reclaim-policy-unknown", name: "may not be listed", want: []string{"cluster"}, unevaluated: true,
			change: func(w *world) { w.forbidden() }, says: []string{"reclaim policy not checked"},
		},
		{
			rule: "reclaim-policy-unknown", name: "folders have none",
			change: func(w *world) { w.folders(); w.VolumesForbidden = true },
		},
		{
			rule: "delete-claim", name: "claim and pool", want: []string{"pool/broker", pvcB00},
			change: func(w *world) {
				w.vol("0-broker-0").Claim.DeleteClaim, w.pool("broker").Storage.Volumes[1].DeleteClaim = true, true
			},
		},
		{
			rule: "claim-terminating", name: "held by a pod", want: []string{pvcB00},
			change: func(w *world) {
				c := w.vol("0-broker-0").Claim
				c.Terminating, c.UsedBy = true, []volume.PodRef{{Name: "p", Phase: "Running", Node: "node-0"}}
			},
			says: []string{"kubernetes.io/pvc-protection", "used by pod/p, Running, on node-0"},
		},
		{
			rule: "claim-terminating", name: "given up",
			change: func(w *world) { w.vol("0-broker-0").Claim.Terminating = true; w.exclude("0-broker-0") },
		},
		{
			rule: "volume-terminating", name: "held by its claim", want: []string{"pv/pv-6"},
			change: func(w *world) { pv(w).Terminating, pv(w).Finalizers = true, nil }, says: []string{"no finalizer holds it"},
		},
		{
			rule: "volume-terminating", name: "only its claim goes",
			change: func(w *world) { w.vol("0-broker-0").Claim.Terminating = true },
		},
		{
			rule: "claim-not-bound", name: "pending, with a volume that names it", want: []string{pvcB00},
			change: func(w *world) {
				v := w.vol("0-broker-0")
				v.PV, v.Claim.Phase, v.Claim.Volume = nil, "Pending", ""
				beside("Released")(w)
			},
			says: []string{"is Pending", "pv/old: Released, names the claim"},
		},
		{
			rule: "claim-not-bound", name: "the volume has another claim's UID", want: []string{pvcB00},
			change: func(w *world) { pv(w).ClaimUID = "another" }, says: []string{"does not name it"},
		},
		{rule: "claim-not-bound", name: "volumes may not be listed", change: func(w *world) { w.forbidden() }},
		{
			rule: "volume-without-claim", name: "released", want: []string{"pv/pv-6"},
			change: func(w *world) {
				v := w.vol("0-broker-0")
				v.Name, v.Claim, v.PV.Phase = "pv/pv-6", nil, "Released"
			},
		},
		{rule: "volume-without-claim", name: "a folder", change: func(w *world) { w.folders() }},
		{
			rule: "shadowed-by-new-volume", name: "released", want: []string{pvcB00}, change: beside("Released"), running: true,
			says: []string{
				"pv/pv-6: bound to it now", "pv/old: Released", "`kafkarecover restore kafka/my-cluster -n kafka --rebind-claims`",
			},
		},
		{
			rule: "shadowed-by-new-volume", name: "of a cluster that is to be created", want: []string{pvcB00},
			change: func(w *world) { beside("Released")(w); w.Cluster.Kafka.UID = "" },
			says:   []string{"`kafkarecover restore kafka/my-cluster -n kafka -f FILE --rebind-claims`"},
		},
		{rule: "shadowed-by-new-volume", name: "available", want: []string{pvcB00}, change: beside("Available")},
		{
			rule: "shadowed-by-new-volume", name: "of a claim that is not bound",
			change: func(w *world) { beside("Released")(w); w.vol("0-broker-0").Claim.Phase = "Pending" },
		},
		{
			rule: "shadowed-by-new-volume", name: "in another namespace",
			change: func(w *world) { beside("Released")(w); w.Others[0].ClaimNamespace = "elsewhere" },
		},
		{
			rule: "released-volumes", name: "of a claim that is gone", want: []string{"pv/old"},
			change: func(w *world) { beside("Released")(w); w.Others[0].ClaimName = "data-2-my-cluster-broker-0" },
			says:   []string{"kafkarecover protect"},
		},
		{
			rule: "shadowed-by-new-volume", name: "the other was given up",
			change: func(w *world) { beside("Released")(w); w.Excluded = map[string]bool{"pv/old": true} },
		},
		{rule: "released-volumes", name: "shadowed is worse", change: beside("Released")},
		{
			rule: "shadowed-by-new-volume", name: "by a volume that lost its claim on purpose",
			change: func(w *world) { beside("Released")(w); w.Others[0].DisplacedBy = "restore-20261126-031123-b369" },
		},
		{
			rule: "released-volumes", name: "lost its claim on purpose", want: []string{"pv/old"},
			change: func(w *world) { beside("Released")(w); w.Others[0].DisplacedBy = "restore-20261126-031123-b369" },
			says:   []string{"operation restore-20261126-031123-b369 gave its claim to another volume"},
		},
		{
			rule: "same-disk-twice", name: "one handle", want: []string{"pv/old"},
			change: func(w *world) {
				beside("Released")(w)
				pv(w).Driver, pv(w).Handle = "ebs.csi.aws.com", "vol-1"
				w.Others[0].Driver, w.Others[0].Handle = "ebs.csi.aws.com", "vol-1"
			},
			says: []string{"pv/old", "pv/pv-6", `"vol-1"`},
		},
		{
			rule: "same-disk-twice", name: "one path on two machines",
			change: func(w *world) {
				beside("Released")(w)
				w.Others[0].Driver, w.Others[0].Handle, w.Others[0].Nodes = pv(w).Driver, pv(w).Handle, []string{"node-9"}
			},
		},
		{
			rule: "claim-in-use", name: "by a pod that is ready", want: []string{pvcB00},
			change: func(w *world) {
				w.vol("0-broker-0").Claim.UsedBy = []volume.PodRef{{Name: "p", Phase: "Running", Ready: true}}
			},
			says: []string{"used by pod/p, Running, ready"},
		},
	}
}

// forbidden is what is seen without the permission to list PersistentVolumes.
func (w *world) forbidden() {
	w.VolumesForbidden = true
	for i := range w.Volumes {
		w.Volumes[i].PV = nil
	}
}

func liveCases() []ruleCase {
	return []ruleCase{
		{
			rule: "live-cluster-id-differs", name: "mis-started", want: []string{
				"configmap/my-cluster-broker-0", kafka, "pool/broker",
			},
			running: true,
			change: func(w *world) {
				w.Cluster.Kafka.Status.ClusterID, w.pool("broker").Status.ClusterID = ptr(otherID), ptr(otherID)
				w.Cluster.NodeConfigs[0].ClusterID = otherID
			},
			says: []string{otherID, clusterID},
		},
		{
			rule: "live-cluster-id-unset", name: "never started", want: []string{kafka}, change: func(*world) {},
		},
		{
			rule: "live-cluster-id-unset", name: "a pool has it",
			change: func(w *world) { w.pool("controller").Status.ClusterID = ptr(clusterID) },
		},
		{
			rule: "no-kafka-resource", name: "deleted", want: []string{kafka}, change: func(w *world) { w.Cluster = nil },
		},
		{
			rule: "gitops-active", name: "Argo CD by annotation", want: []string{kafka},
			change: func(w *world) {
				w.Cluster.Kafka.Annotations["argocd.argoproj.io/tracking-id"] =
					"events:kafka.strimzi.io/Kafka:kafka/my-cluster"
			},
			says: []string{
				"kubectl -n argocd patch applications.argoproj.io events --type merge -p " +
					`'{"spec":{"syncPolicy":{"automated":null}}}'`,
				"--accept gitops-active=kafka/my-cluster",
			},
		},
		{
			rule: "gitops-active", name: "Argo CD by label, manager and another namespace",
			want: []string{"pool/broker", "pool/controller"},
			change: func(w *world) {
				w.pool("broker").Labels["argocd.argoproj.io/instance"] = "team_events"
				w.pool("controller").Managers = []string{"argocd-controller"}
				w.pool("controller").Labels["app.kubernetes.io/instance"] = "all"
			},
			says: []string{
				"-n team patch applications.argoproj.io events", `field manager "argocd-controller"`,
				"applications.argoproj.io all",
			},
		},
		{
			rule: "gitops-active", name: "Flux", want: []string{kafka, "pool/broker"},
			change: func(w *world) {
				w.Cluster.Kafka.Labels = map[string]string{
					"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
				}
				w.pool("broker").Managers = []string{"helm-controller"}
			},
			says: []string{
				"kubectl -n flux-system patch kustomizations.kustomize.toolkit.fluxcd.io apps --type merge -p " +
					`'{"spec":{"suspend":true}}'`,
				"helmreleases.helm.toolkit.fluxcd.io NAME",
			},
		},
		{
			rule: "gitops-active", name: "Flux told to leave it alone",
			change: func(w *world) {
				w.Cluster.Kafka.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}
				w.Cluster.Kafka.Annotations["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled"
			},
		},
		{
			rule: "gitops-active", name: "a label Helm has too",
			change: func(w *world) { w.Cluster.Kafka.Labels = map[string]string{"app.kubernetes.io/instance": "x"} },
		},
		{
			rule: "gitops-active", name: "a hostile name is not repeated in a command", want: []string{kafka},
			change: func(w *world) {
				w.Cluster.Kafka.Annotations["argocd.argoproj.io/tracking-id"] = "x; rm -rf /:"
			},
			says: []string{"applications.argoproj.io NAME"},
		},
		{
			rule: "user-operator-would-delete", name: "one of four", want: []string{kafka},
			change: func(w *world) {
				w.Cluster.Kafka.UserOperator, w.Cluster.KafkaUsers = true, []string{"alice", "bob"}
				w.users("alice", "CN=bob,O=x", "*", "ANONYMOUS", "carol")
			},
			says: []string{`"carol": no KafkaUser`, "1 user of"},
		},
		{
			rule: "user-operator-would-delete", name: "KafkaUsers may not be listed", want: []string{kafka}, unevaluated: true,
			change: func(w *world) {
				w.Cluster.Kafka.UserOperator, w.Cluster.UsersKnown = true, false
				w.users("alice")
			},
		},
		{rule: "user-operator-would-delete", name: "no User Operator", change: func(w *world) { w.users("alice") }},
		{
			rule: "user-operator-would-delete", name: "all there",
			change: func(w *world) {
				w.Cluster.Kafka.UserOperator, w.Cluster.KafkaUsers = true, []string{"alice"}
				w.users("alice", "CN=alice")
			},
		},
		{
			rule: "ephemeral-storage", name: "controllers", want: []string{"pool/controller"},
			change: func(w *world) { w.pool("controller").Storage.Volumes[0].Type = strimzi.StorageEphemeral },
		},
	}
}

func (w *world) users(names ...string) { w.images(func(im *volume.Image) { im.Users = names }) }

func operatorCases() []ruleCase {
	operator := func(w *world) *strimzi.Operator { return &w.Cluster.Operators[0] }
	second := func(w *world) *strimzi.Operator {
		w.Cluster.Operators = append(w.Cluster.Operators, strimzi.Operator{
			Namespace: "other", Deployment: "strimzi", Version: "1.1.0", Watched: []string{strimzi.AllNamespaces}, Ready: true,
		})
		return &w.Cluster.Operators[1]
	}
	old := func(w *world, version string) {
		w.Cluster.APIVersion = "kafka.strimzi.io/v1beta2"
		operator(w).Version = version
	}
	return []ruleCase{
		{
			rule: "several-operators", name: "two", want: []string{kafka}, change: func(w *world) { second(w) },
			says: []string{"deployment kafka/strimzi-cluster-operator", "deployment other/strimzi"},
		},
		{
			rule: "several-operators", name: "the second may be one", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { second(w).WatchedUnknown = "it comes from a ConfigMap" },
			says:   []string{"it comes from a ConfigMap"},
		},
		{
			rule: "several-operators", name: "others may not be listed", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { w.Cluster.OperatorsKnown = false },
		},
		{
			rule: "several-operators", name: "the second is scaled to 0",
			change: func(w *world) { second(w).ScaledToZero = true },
		},
		{
			rule: "no-operator", name: "scaled to 0",
			want:   []string{kafka},
			change: func(w *world) { operator(w).ScaledToZero = true },
			says:   []string{"scaled to 0"},
		},
		{
			rule: "no-operator", name: "not known",
			change: func(w *world) { w.Cluster.Operators, w.Cluster.OperatorsKnown = nil, false },
		},
		{
			rule: "operator-not-ready", name: "starting", want: []string{"operator/kafka/strimzi-cluster-operator"},
			change: func(w *world) { operator(w).Ready = false },
		},
		{
			rule: "operator-too-old", name: "0.35", want: []string{"operator/kafka/strimzi-cluster-operator"},
			change: func(w *world) { old(w, "0.35.1") },
		},
		{
			rule: "operator-too-old", name: "no version",
			want: []string{"operator/kafka/strimzi-cluster-operator"}, unevaluated: true,
			change: func(w *world) { old(w, "") },
		},
		{rule: "operator-too-old", name: "0.36", change: func(w *world) { old(w, "0.36.0") }},
		{rule: "operator-too-old", name: "no version, but v1 is served", change: func(w *world) { operator(w).Version = "" }},
		{
			rule: "zookeeper-mode", name: "0.45 without annotations",
			want:   []string{kafka},
			change: func(w *world) { old(w, "0.45.0") },
			says: []string{
				"kubectl -n kafka annotate kafka my-cluster strimzi.io/kraft=enabled strimzi.io/node-pools=enabled --overwrite",
			},
		},
		{
			rule: "zookeeper-mode", name: "an unknown operator", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { old(w, "") },
		},
		{
			rule: "zookeeper-mode", name: "0.45 with them",
			change: func(w *world) {
				old(w, "0.45.0")
				w.Cluster.Kafka.KRaft, w.Cluster.Kafka.NodePools = "enabled", "enabled"
			},
		},
		{rule: "zookeeper-mode", name: "0.46 needs none", change: func(w *world) { old(w, "0.46.0") }},
		{
			rule: "zookeeper-mode", name: "0.39 goes by a feature gate",
			change: func(w *world) {
				old(w, "0.39.0")
				w.Cluster.Kafka.NodePools = "enabled"
				operator(w).FeatureGates = []string{"+UseKRaft"}
			},
		},
	}
}

func versionCases() []ruleCase {
	level := func(w *world, level int16) {
		for i := range w.Volumes {
			if w.Volumes[i].Image != nil {
				w.Volumes[i].MetadataVersion = level
			}
		}
	}
	kafkaOf := func(w *world) *strimzi.Kafka { return &w.Cluster.Kafka }
	return []ruleCase{
		{
			rule: "binary-older-than-metadata", name: "Kafka 4.1 on 4.2", want: []string{kafka},
			change: func(w *world) { kafkaOf(w).Version = "4.1.0" },
			says:   []string{"Kafka 4.1.0 (spec.kafka.version) supports metadata.version up to 4.1-IV1, on disk is 4.2-IV1"},
		},
		{
			rule: "binary-older-than-metadata", name: "no version and no operator", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { kafkaOf(w).Version = ""; w.Cluster.Operators = nil },
		},
		{
			rule: "binary-older-than-metadata", name: "a version nobody knows", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { kafkaOf(w).Version = "4.2x" },
		},
		{
			rule: "binary-older-than-metadata", name: "the operator's default",
			change: func(w *world) { kafkaOf(w).Version = "" },
		},
		{
			rule: "binary-older-than-metadata", name: "later than all that is known",
			change: func(w *world) { kafkaOf(w).Version = "5.0.0" },
		},
		{
			rule: "metadata-version-unset", name: "Kafka 4.2 on 4.1", want: []string{kafka},
			change: func(w *world) { level(w, 27); kafkaOf(w).MetadataVersion = "" },
			says: []string{
				"would raise 4.1-IV1 to 4.2-IV1",
				`kubectl -n kafka patch kafka my-cluster --type merge -p '{"spec":{"kafka":{"metadataVersion":"4.1-IV1"}}}'`,
			},
		},
		{
			rule: "metadata-version-unset", name: "a later Kafka's default is not known",
			want: []string{kafka}, unevaluated: true,
			change: func(w *world) { kafkaOf(w).MetadataVersion, kafkaOf(w).Version = "", "5.0.0" },
		},
		{
			rule: "metadata-version-unset", name: "nor the operator's", want: []string{kafka}, unevaluated: true,
			change: func(w *world) {
				kafkaOf(w).MetadataVersion, kafkaOf(w).Version, w.Cluster.Operators = "", "", nil
			},
		},
		{
			rule: "metadata-version-unset", name: "the default is what is there",
			change: func(w *world) { kafkaOf(w).MetadataVersion = "" },
		},
		{
			rule: "metadata-version-would-upgrade", name: "asked for",
			want:   []string{kafka},
			change: func(w *world) { level(w, 27) },
		},
		{
			rule: "metadata-version-would-upgrade", name: "no level of any release", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { kafkaOf(w).MetadataVersion = "9.9-IV9" },
		},
		{
			rule: "metadata-version-would-upgrade", name: "lower is no upgrade",
			change: func(w *world) { kafkaOf(w).MetadataVersion = "4.1" },
		},
		{
			rule: "metadata-version-unknown", name: "the log does not say", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { level(w, 0) },
		},
		{
			rule: "metadata-version-unknown", name: "a later release", want: []string{kafka}, unevaluated: true,
			change: func(w *world) { level(w, 99) }, says: []string{"level 99"},
		},
		{
			rule: "metadata-version-unknown", name: "only one copy does not say",
			change: func(w *world) { w.end("0-broker-0", 400, 3); w.vol("0-broker-0").MetadataVersion = 0 },
		},
	}
}
