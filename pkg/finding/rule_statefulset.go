package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const sourceSet = "Kubernetes: StatefulSet controller (getPersistentVolumeClaims)"

// setRules judge a StatefulSet that runs Kafka, and its volumes by it.
func setRules() []entry { return slices.Concat(setPlaceRules(), setPodRules()) }

// setPlaceRules judge which volume each pod will have.
func setPlaceRules() []entry {
	return []entry{
		{Rule{
			ID: "statefulset-would-make-claims", Severity: Critical, Refuses: true, Final: true, Without: DataLost,
			Title: "the StatefulSet has pods while claims are to be made",
			What:  "The replicas and pods of the StatefulSet, where claims of its pods are gone or not bound.",
			Why: "Its controller makes an empty claim for every pod whose claim is gone, under the name that the volume with " +
				"the data is wanted under, and Kafka starts on it.",
			Source: sourceSet,
			Remedy: "scale it to zero first; its claims and volumes stay",
		}, judgeWouldMake},
		{Rule{
			ID: "statefulset-ordinal-missing", Severity: Error, Refuses: true, Without: DataLost,
			Title: "there is no volume for a pod of the StatefulSet",
			What:  "The claims of every ordinal below the replicas, against the volumes whose claims have or had these names.",
			Why: "The StatefulSet controller makes the claim, empty: a broker without its data, or a controller without the " +
				"metadata, which votes like the others.",
			Source: sourceSet,
			Remedy: "look for the volume; accept it where it is lost for good, or where the pod is one more than there were",
		}, judgeOrdinalMissing},
		{Rule{
			ID: "statefulset-node-ids", Severity: Critical, Refuses: true, Final: true, Without: Stuck,
			Title: "the node IDs on the volumes do not follow the ordinals",
			What:  "node.id of every volume against the ordinal in the name of the claim it has or had.",
			Why: "The pods of a StatefulSet know their node ID by their ordinal: equal to it, or higher by the same number. " +
				"Where the volumes fit neither, some are of another set, and nobody can say which pod is to have which: a " +
				"node that finds another node.id stops.",
			Source: "Kafka: MetaPropertiesEnsemble.verify (a node that finds another node.id stops)",
			Remedy: "look which volumes are of this set, and give up the others with --exclude pv/NAME",
		}, judgeSetNodeIDs},
		{Rule{
			ID: "statefulset-disk-empty", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a pod would start empty beside volumes that hold data",
			What:  "Volumes without meta.properties, where others of the set have it.",
			Why: "Entry points format a disk without meta.properties as new, without a word: a broker then leads partitions " +
				"with nothing in them, and a majority of such controllers destroys the metadata of the others too.",
			Source: "Kafka: docker/resources (KafkaDockerWrapper formats with --ignore-formatted)",
			Remedy: "find the volume that holds this node's data; if the data is lost, accept it for this volume",
		}, judgeSetDiskEmpty},
	}
}

// setPodRules judge what the pods are told.
func setPodRules() []entry {
	return []entry{
		{Rule{
			ID: "statefulset-cluster-id", Severity: Critical, Refuses: true, Final: true, Without: Stuck,
			Title: "the pods are given another cluster ID than the volumes have",
			What: "The variables CLUSTER_ID, KAFKA_CLUSTER_ID and KAFKA_KRAFT_CLUSTER_ID of the pod template, written out or " +
				"from a ConfigMap, against cluster.id on the volumes.",
			Why: "Entry points format with it: on a disk of another cluster that stops with \"Invalid cluster.id\", and a " +
				"disk that is empty becomes one of another cluster.",
			Source: "Kafka: Formatter; docker/resources/common-scripts/configureDefaults",
			Remedy: "have the pod template say the ID of the volumes",
		}, judgeSetClusterID},
		{Rule{
			ID: "statefulset-cluster-id-unknown", Severity: Warning,
			Title: "it is not known which cluster ID the pods are given",
			What: "The same variables, where they come from a Secret, a field, or a ConfigMap that could not be read; and pod " +
				"templates without any of them.",
			Why:    "With another ID than that of the volumes the pods do not start.",
			Source: "safety contract, line 8: Secrets are not read",
			Remedy: "compare it with the ID of the volumes yourself",
		}, judgeSetClusterIDUnknown},
		{Rule{
			ID: "statefulset-deletes-claims", Severity: Warning,
			Title:  "claims are deleted with the StatefulSet",
			What:   "persistentVolumeClaimRetentionPolicy of the StatefulSet.",
			Why:    "With Delete claims are deleted when it is scaled down or deleted; volumes that are Retain stay.",
			Source: "Kubernetes: StatefulSetAutoDeletePVC",
			Remedy: "set whenDeleted and whenScaled to Retain",
		}, judgeSetDeletes},
		{Rule{
			ID: "statefulset-without-controllers", Severity: Warning,
			Title: "the controllers are not of this StatefulSet",
			What:  "The voters in the metadata logs against the nodes of the set.",
			Why: "Whether the controllers have what was committed is judged with their volumes. Brokers that start with " +
				"controllers that were formatted anew set their partitions aside as stray.",
			Source: "Kafka: LogManager.isStrayKraftReplica",
			Remedy: "restore the StatefulSet of the controllers first, and see it run",
		}, judgeSetWithoutControllers},
	}
}

func judgeWouldMake(s *scene) []found {
	set := s.in.Set
	if set == nil || set.Declared || set.Replicas == 0 && len(set.Pods) == 0 {
		return nil
	}
	missing := s.unmade()
	for _, v := range s.vols {
		if planned(v) && !slices.Contains(missing, v.Claim.Name) {
			missing = append(missing, v.Claim.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	f := found{
		subject: set.Ref(),
		message: fmt.Sprintf("asks for %s, and %s to be made", wording.Count(set.Replicas, "pod", "pods"),
			wording.Count(len(missing), "claim is", "claims are")),
		evidence: []string{"not there or not bound: pvc/" + strings.Join(missing, " pvc/")},
		remedy:   fmt.Sprintf("`%s`, wait until its pods are gone, then run this again", set.ScaleCommand(0)),
	}
	if set.Replicas == 0 {
		f.message = "is scaled to zero, and " + wording.Count(len(set.Pods), "pod of it is", "pods of it are") +
			" still there"
	}
	if len(set.Pods) > 0 {
		f.evidence = append(f.evidence, "there: pod/"+strings.Join(set.Pods, " pod/"))
	}
	return []found{f}
}

func judgeOrdinalMissing(s *scene) []found {
	if s.in.Set == nil {
		return nil
	}
	offset, known := NodeOffset(s.in.Set, s.in.Volumes)
	newest := s.newestImage()
	var out []found
	for _, c := range s.volumeless() {
		f := found{
			subject: "pvc/" + s.in.Set.ClaimName(c.Template, c.Ordinal), unevaluated: s.in.VolumesForbidden,
			message: fmt.Sprintf("no volume is or was of this claim, and pod/%s would get an empty one",
				s.in.Set.PodName(c.Ordinal)),
		}
		if known && newest != nil {
			id := c.Ordinal + offset
			if n := newest.Image.InSync[id]; n > 0 {
				f.evidence = append(f.evidence, fmt.Sprintf("%s: metadata up to %s has broker %d in sync in %d partitions, "+
					"which it could lead with nothing in them", newest.Name, position(newest.Image.End), id, n))
			}
			if slices.Contains(s.controllers.ids(), id) {
				f.evidence = append(f.evidence, fmt.Sprintf("node %d is a controller by the %s", id, s.controllers.sources[0].name))
			}
		}
		out = append(out, f)
	}
	return out
}

func judgeSetNodeIDs(s *scene) []found {
	if s.in.Set == nil {
		return nil
	}
	volumes := s.included()
	if _, ok := NodeOffset(s.in.Set, volumes); ok {
		return nil
	}
	var evidence []string
	for i := range volumes {
		claim, known := s.in.Set.ParseClaim(claimNameOf(&volumes[i]))
		if n, has := NodeOn(volumes[i].Contents); known && has {
			evidence = append(evidence, fmt.Sprintf("%s: ordinal %d, node.id %d", volumes[i].Name, claim.Ordinal, n))
		}
	}
	return []found{{
		subject: s.in.Set.Ref(), evidence: evidence,
		message: "the node IDs on its volumes are not its ordinals, nor those and one number more",
	}}
}

func judgeSetDiskEmpty(s *scene) []found {
	data := func(v *vol) bool { return slices.ContainsFunc(v.own, holdsData) }
	if s.in.Set == nil || !slices.ContainsFunc(s.vols, data) {
		return nil
	}
	return s.eachVolume(func(v *vol) []found {
		return one(v.Name, "would be formatted as new, and other volumes of the set hold data", holdsNoLogDir(v))
	})
}

func judgeSetClusterID(s *scene) []found {
	if s.in.Set == nil || !s.agreed {
		return nil
	}
	f := found{subject: s.in.Set.Ref()}
	var fixes []string
	for i := range s.in.Set.ClusterIDs {
		c := &s.in.Set.ClusterIDs[i]
		if c.Unknown != "" || c.Value == s.clusterID {
			continue
		}
		f.message = fmt.Sprintf("its pods are given cluster ID %s, and the volumes are of %s", quoted(c.Value),
			quoted(s.clusterID))
		f.evidence = append(f.evidence, fmt.Sprintf("%s: %s", c, quoted(c.Value)))
		if fix := s.in.Set.Fix(c, s.clusterID); !slices.Contains(fixes, fix) {
			fixes = append(fixes, fix)
		}
	}
	if len(fixes) == 0 {
		return nil
	}
	f.remedy = strings.Join(fixes, "; ")
	return []found{f}
}

func judgeSetClusterIDUnknown(s *scene) []found {
	if s.in.Set == nil {
		return nil
	}
	f := found{subject: s.in.Set.Ref(), message: "it is not known which cluster ID its pods are given"}
	var remedies []string
	for i := range s.in.Set.ClusterIDs {
		c := &s.in.Set.ClusterIDs[i]
		if c.Unknown == "" {
			continue
		}
		f.evidence = append(f.evidence, fmt.Sprintf("%s: %s", c, c.Unknown))
		if c.Kind == statefulset.KindSecret && c.Key != "" {
			remedies = append(remedies, fmt.Sprintf("compare with %s: kubectl get secret/%s -n %s -o jsonpath='{.data.%s}' | "+
				"base64 -d", quoted(s.clusterID), c.Object, s.in.Set.Namespace, c.Key))
		}
	}
	switch {
	case len(s.in.Set.ClusterIDs) == 0:
		f.evidence = []string{"none of " + strings.Join(statefulset.Variables(), ", ") + " is in its pod template"}
	case len(f.evidence) == 0:
		return nil
	}
	f.remedy = strings.Join(remedies, "; ")
	return []found{f}
}

func judgeSetDeletes(s *scene) []found {
	if s.in.Set == nil || s.in.Set.Retains() {
		return nil
	}
	return []found{{
		subject: s.in.Set.Ref(),
		message: "has its controller delete claims",
		evidence: []string{fmt.Sprintf("persistentVolumeClaimRetentionPolicy: whenDeleted %q, whenScaled %q",
			s.in.Set.WhenDeleted, s.in.Set.WhenScaled)},
	}}
}

func judgeSetWithoutControllers(s *scene) []found {
	if s.in.Set == nil || s.votes() || len(s.nodes) == 0 {
		return nil
	}
	return []found{{
		subject: s.in.Set.Ref(), message: "none of its nodes is a controller",
		evidence: []string{"controllers are " + idList(s.controllers.ids()) + " by the " + s.controllers.sources[0].name},
	}}
}
