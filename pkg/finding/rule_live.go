package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// liveRules judge what the operator will do: which cluster ID it takes, who else writes, and whether it is there.
func liveRules() []entry { return slices.Concat(statusRules(), operatorRules()) }

func statusRules() []entry {
	return []entry{
		{Rule{
			ID: "live-cluster-id-differs", Severity: Error,
			Title:  "Kubernetes has another cluster ID than the volumes",
			What:   "status.clusterId of Kafka and its pools, and cluster.id in the nodes' ConfigMaps, against the volumes.",
			Why:    "Every node stops with \"Invalid cluster.id\". A start without the recovered ID leaves a random one.",
			Source: "Strimzi: NodePoolUtils.getOrGenerateKRaftClusterId; tried: docs/strimzi-facts.md, naive re-creation",
			Remedy: "`kafkarecover restore` writes the volumes' ID back",
		}, judgeLiveID},
		{Rule{
			ID: "live-cluster-id-unset", Severity: Warning,
			Title:  "the operator would make a new cluster ID",
			What:   "Whether Kafka or one of its pools has status.clusterId.",
			Why:    "Without it the operator makes a random one at its next reconcile, and no node starts on its volume.",
			Source: "Strimzi: NodePoolUtils.getOrGenerateKRaftClusterId",
			Remedy: "keep the resource paused; `kafkarecover restore` writes the volumes' ID",
		}, judgeLiveIDUnset},
		{Rule{
			ID: "no-kafka-resource", Severity: Warning,
			Title:  "there is no Kafka resource for the claims",
			What:   "Whether the Kafka resource of the claims' cluster exists.",
			Why:    "Nothing starts on the volumes, and a restore needs the manifests of the resource and its pools.",
			Source: "Strimzi: Kafka, KafkaNodePool",
			Remedy: "give the manifests to `kafkarecover restore -f`, which creates the resources paused; where they are " +
				"lost, `kafkarecover export manifests` writes them from the volumes",
		}, judgeNoKafka},
		{Rule{
			ID: gitopsActive, Severity: Error, Refuses: true, Without: DataLost,
			Title: "a GitOps tool owns the resources",
			What: "Labels, annotations and field managers of Argo CD and Flux on Kafka and its pools, and on the Deployment " +
				"of an operator that is to be kept at zero replicas.",
			Why: "It can take the pause annotation away, delete and create resources, or scale the operator back, in the " +
				"middle of a recovery: what is half put right then starts, or is deleted with its claims.",
			Source: "Argo CD: resource tracking; Flux: kustomize-controller and helm-controller",
			Remedy: "suspend its synchronisation, then accept it",
		}, judgeGitOps},
		{Rule{
			ID: "user-operator-would-delete", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "the User Operator would delete users",
			What: "Users with SCRAM credentials, ACLs or quotas in the metadata that have no KafkaUser, while the User " +
				"Operator is asked for.",
			Why:    "It deletes at its first round every user that has no KafkaUser, with their credentials and ACLs.",
			Source: "Strimzi: KafkaUserOperator.getAllUsers",
			Remedy: "take userOperator out of spec.entityOperator until the KafkaUsers are there again",
		}, judgeUsers},
		{Rule{
			ID: "ephemeral-storage", Severity: Warning,
			Title:  "a pool has ephemeral storage",
			What:   "The storage types of the pools.",
			Why:    "What was on it went with the pods, and there is nothing to recover.",
			Source: "Strimzi: storage of type ephemeral",
			Remedy: "give the pool persistent storage, before it holds anything that matters",
		}, judgeEphemeral},
	}
}

func operatorRules() []entry {
	return []entry{
		{Rule{
			ID: "several-operators", Severity: Critical, Refuses: true, Without: Stuck,
			Title: "more than one operator manages the resource",
			What: "Cluster Operators whose namespaces and selector take in the Kafka resource, in all namespaces that may " +
				"be read.",
			Why: "One of them may be reconciling while the other says that it has paused: the proof of the pause is none, and " +
				"the ID that it makes up may be the one that nodes are started with, which then stop.",
			Source: "Strimzi: STRIMZI_NAMESPACE, STRIMZI_CUSTOM_RESOURCE_SELECTOR",
			Remedy: "scale all but one of them to 0",
		}, judgeSeveralOperators},
		{Rule{
			ID: "no-operator", Severity: Warning,
			Title:  "no operator manages the resource",
			What:   "Whether a Cluster Operator that is not scaled to 0 watches the namespace.",
			Why:    "Nobody would confirm a pause or start the cluster.",
			Source: "Strimzi: STRIMZI_NAMESPACE, STRIMZI_CUSTOM_RESOURCE_SELECTOR, STRIMZI_POD_SET_RECONCILIATION_ONLY",
			Remedy: "install the operator, scale it up, or have it watch the namespace",
		}, judgeNoOperator},
		{Rule{
			ID: "operator-not-ready", Severity: Warning,
			Title:  "the operator is not ready",
			What:   "Whether the operator's Deployment has a ready pod.",
			Why:    "A pause is confirmed and the cluster started only once it is.",
			Source: "Kubernetes: Deployment status",
			Remedy: "see why its pod is not ready",
		}, judgeOperatorNotReady},
		{Rule{
			ID: "operator-too-old", Severity: Error, Refuses: true, Without: Stuck,
			Title: "the operator is too old",
			What:  "The operator's version, from its Deployment's name, its image and its Kafka images.",
			Why: "Before 0.36 pausing removes status.clusterId, so that nodes are started with an ID that is made up, and " +
				"stop; and there are no node pools.",
			Source: "Strimzi: CHANGELOG, 0.36",
			Remedy: "upgrade the operator to 0.46 or later",
		}, judgeOperatorOld},
		{Rule{
			ID: "zookeeper-mode", Severity: Critical, Refuses: true, Without: DataLost,
			Title:  "the operator would take the cluster for one with ZooKeeper",
			What:   "The annotations strimzi.io/kraft and strimzi.io/node-pools, which operators up to 0.45 go by.",
			Why:    "In that mode the start script removes __cluster_metadata-0 (rm -rf) on every node.",
			Source: "Strimzi: KafkaMetadataStateManager, kafka_run.sh, 0.40 to 0.45",
			Remedy: "annotate the resource before it is un-paused",
		}, judgeZooKeeperMode},
	}
}

func (s *scene) kafkaSubject() string { return "kafka/" + s.in.Cluster.Kafka.Name }

// kubectl begins a command in the cluster's namespace.
func (s *scene) kubectl(rest string) string {
	if ns := s.in.Cluster.Kafka.Namespace; ns != "" {
		return "kubectl -n " + ns + " " + rest
	}
	return "kubectl " + rest
}

func judgeLiveID(s *scene) []found {
	c := s.in.Cluster
	if c == nil || !s.agreed {
		return nil
	}
	var out []found
	check := func(subject string, id *string) {
		if id != nil && *id != s.clusterID {
			out = append(out, found{
				subject: subject, message: fmt.Sprintf("has cluster ID %s, the volumes have %s", quoted(*id), quoted(s.clusterID)),
			})
		}
	}
	check(s.kafkaSubject(), c.Kafka.Status.ClusterID)
	for i := range c.Pools {
		check("pool/"+c.Pools[i].Name, c.Pools[i].Status.ClusterID)
	}
	for i := range c.NodeConfigs {
		check("configmap/"+c.NodeConfigs[i].Name, &c.NodeConfigs[i].ClusterID)
	}
	return out
}

func judgeLiveIDUnset(s *scene) []found {
	if s.in.Cluster == nil {
		return nil
	}
	if _, _, ok := s.in.Cluster.ChosenClusterID(); ok {
		return nil
	}
	return []found{{subject: s.kafkaSubject(), message: "neither it nor a pool has status.clusterId"}}
}

func judgeNoKafka(s *scene) []found {
	if s.in.Cluster != nil || !s.inKubernetes() {
		return nil
	}
	var names []string
	for _, v := range s.vols {
		if v.Slot != nil && v.Slot.Cluster != "" && !slices.Contains(names, v.Slot.Cluster) {
			names = append(names, v.Slot.Cluster)
		}
	}
	slices.Sort(names)
	var out []found
	for _, name := range names {
		out = append(out, found{subject: "kafka/" + name, message: "was not found, although claims of it are there"})
	}
	return out
}

// judgeUsers compares as the User Operator does: TLS users are named CN=NAME in ACLs and quotas, and "*" and ANONYMOUS
// are nobody's.
func judgeUsers(s *scene) []found {
	c := s.in.Cluster
	if c == nil || !c.Kafka.UserOperator {
		return nil
	}
	newest := s.newestImage()
	if newest == nil || len(newest.Image.Users) == 0 {
		return nil // metadata-not-replayed says what is not known
	}
	if !c.UsersKnown {
		return []found{{
			subject: s.kafkaSubject(), unevaluated: true,
			message: "KafkaUsers could not be listed; the metadata has " +
				wording.Count(len(newest.Image.Users), "user", "users"),
		}}
	}
	var evidence []string
	for _, u := range newest.Image.Users {
		if name := userName(u); name != "" && !slices.Contains(c.KafkaUsers, name) {
			evidence = append(evidence, quoted(u)+": no KafkaUser")
		}
	}
	return one(s.kafkaSubject(), "asks for the User Operator, and "+
		wording.Count(len(evidence), "user of the metadata has", "users of the metadata have")+" no KafkaUser", evidence)
}

// userName is the name of the KafkaUser that stands for a principal; empty for those the User Operator leaves alone.
func userName(principal string) string {
	if principal == "*" || principal == "ANONYMOUS" || principal == "" {
		return ""
	}
	for part := range strings.SplitSeq(principal, ",") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(part), "CN="); ok {
			return name
		}
	}
	return principal
}

func judgeEphemeral(s *scene) []found {
	if s.in.Cluster == nil {
		return nil
	}
	var out []found
	for _, p := range s.in.Cluster.Pools {
		var evidence []string
		for _, v := range p.Storage.Volumes {
			if v.Type == strimzi.StorageEphemeral {
				evidence = append(evidence, "volume "+idOrOnly(v.ID)+": ephemeral")
			}
		}
		out = append(out, one("pool/"+p.Name, "keeps nothing beyond its pods", evidence)...)
	}
	return out
}

func judgeSeveralOperators(s *scene) []found {
	c := s.in.Cluster
	if c == nil {
		return nil
	}
	sure := 0
	var evidence []string
	for _, op := range c.Operators {
		line := fmt.Sprintf("deployment %s, version %s, watches %s", op.Name(), orUnknown(op.Version),
			strings.Join(op.Watched, ", "))
		watches, known := op.Watches(c.Kafka.Namespace, c.Kafka.Labels)
		switch {
		case !known:
			line = "deployment " + op.Name() + ": " + op.WatchedUnknown
		case watches:
			sure++
		default:
			continue
		}
		evidence = append(evidence, line)
	}
	switch {
	case sure > 1:
		return []found{{
			subject: s.kafkaSubject(), evidence: evidence, message: fmt.Sprintf("%d operators manage it", sure),
		}}
	case len(evidence) > 1:
		return []found{{
			subject: s.kafkaSubject(), evidence: evidence, unevaluated: true,
			message: fmt.Sprintf("up to %d operators may manage it", len(evidence)),
		}}
	case !c.OperatorsKnown:
		return []found{{
			subject: s.kafkaSubject(), evidence: evidence, unevaluated: true,
			message: "Deployments of other namespaces could not be listed, so that there may be another operator",
			remedy:  "have somebody who may list Deployments in all namespaces make sure, then accept it",
		}}
	}
	return nil
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

func judgeNoOperator(s *scene) []found {
	c := s.in.Cluster
	if c == nil || !c.OperatorsKnown || slices.ContainsFunc(c.Operators, func(op strimzi.Operator) bool {
		watches, known := op.Watches(c.Kafka.Namespace, c.Kafka.Labels)
		return watches || !known
	}) {
		return nil
	}
	var evidence []string
	for _, op := range c.Operators {
		if op.ScaledToZero {
			evidence = append(evidence, "deployment "+op.Name()+": scaled to 0")
		}
	}
	return []found{{
		subject: s.kafkaSubject(), message: "no Cluster Operator was found that manages it", evidence: evidence,
	}}
}

func judgeOperatorNotReady(s *scene) []found {
	if s.in.Cluster == nil {
		return nil
	}
	var out []found
	for _, op := range s.in.Cluster.Operators {
		if !op.Ready && !op.ScaledToZero && !op.Held {
			out = append(out, found{
				subject: "operator/" + op.Name(), message: "has no ready pod",
				remedy: "kubectl -n " + op.Namespace + " describe deployment " + op.Deployment,
			})
		}
	}
	return out
}

const (
	oldestOperator = "0.36"
	// firstAnnotated is the first release that goes by strimzi.io/kraft, firstKRaftOnly the first without ZooKeeper.
	firstAnnotated = "0.40"
	firstKRaftOnly = "0.46"
	enabled        = "enabled"
	apiV1          = "v1"
)

func judgeOperatorOld(s *scene) []found {
	c := s.in.Cluster
	if c == nil || c.Version() == apiV1 {
		return nil // v1 is served from 0.49 on
	}
	var out []found
	for _, op := range c.Operators {
		f := found{subject: "operator/" + op.Name(), evidence: []string{"image " + quoted(op.Image)}}
		switch {
		case op.Version == "":
			f.unevaluated, f.message = true, "does not say which version it is"
			f.remedy = "look for its version in its log; accept it for 0.36 or later"
		case strimzi.CompareVersions(op.Version, oldestOperator) < 0:
			f.message = "is version " + op.Version
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

func judgeZooKeeperMode(s *scene) []found {
	c := s.in.Cluster
	if c == nil || c.Version() == apiV1 || c.Kafka.KRaft == enabled && c.Kafka.NodePools == enabled {
		return nil
	}
	f := found{
		subject: s.kafkaSubject(), message: "lacks strimzi.io/kraft: enabled or strimzi.io/node-pools: enabled",
		evidence: []string{
			"strimzi.io/kraft: " + quoted(c.Kafka.KRaft), "strimzi.io/node-pools: " + quoted(c.Kafka.NodePools),
		},
		remedy: s.kubectl("annotate kafka " + c.Kafka.Name +
			" strimzi.io/kraft=enabled strimzi.io/node-pools=enabled --overwrite"),
	}
	unknown := len(c.Operators) == 0
	for _, op := range c.Operators {
		switch {
		case op.Version == "":
			unknown = true
		case strimzi.CompareVersions(op.Version, firstKRaftOnly) >= 0:
			continue
		case strimzi.CompareVersions(op.Version, firstAnnotated) < 0 && c.Kafka.NodePools == enabled &&
			slices.Contains(op.FeatureGates, "+UseKRaft"):
			continue // before strimzi.io/kraft the feature gate alone decided
		default:
			f.evidence = append(f.evidence, "operator "+op.Name()+" is version "+op.Version)
			return []found{f}
		}
	}
	if !unknown {
		return nil
	}
	f.unevaluated = true
	f.message += ", which an operator up to 0.45 needs, and which operator there is is not known"
	return []found{f}
}
