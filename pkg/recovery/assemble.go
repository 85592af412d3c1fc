package recovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// makePlan computes the plan from what was observed.
func (r *run) makePlan(retained retainOutcome) error {
	id, from, err := r.chooseID()
	if err != nil {
		return err
	}
	origin := r.Kube.Origin()
	cluster := r.before.Cluster
	in := planInput{
		operation: r.operation, context: origin.Context, server: origin.Server, namespace: r.Namespace, cluster: r.Name,
		uid: cluster.Kafka.UID, id: id, idFrom: from, accepted: r.decision.Accepted,
		retain: retained.patched, alreadyRetain: retained.already,
		retained: r.DryRun == DryRunNone, volumesForbidden: r.before.VolumesForbidden,
		statusID: cluster.Kafka.Status.ClusterID, paused: cluster.Kafka.PauseAnnotated,
		made: r.planMade(), create: r.createPlan(), settle: r.Settle, pauseTimeout: r.pause.timeout, wait: r.Wait,
		quota: r.quotaPlan(), watchRisk: r.watchRisk(), handedOver: r.handedOver,
		controllers: controllerClaims(r.before.Volumes, r.excluded), watched: r.keepsVigil(),
	}
	for i := range r.before.Volumes {
		in.claims = append(in.claims, r.before.Volumes[i].Name)
	}
	in.included = sortedKeys(r.reserved) // one that names a claim of the cluster is found by that, and not patched
	in.excluded = r.excludedText()
	for _, p := range cluster.Pools {
		in.pools = append(in.pools, poolID{name: p.Name, id: p.Status.ClusterID})
	}
	for _, p := range cluster.Pods {
		if p.CrashLooping() {
			in.crashLooping = append(in.crashLooping, p.Name)
		}
	}
	if in.outliving = names(outliving(cluster)); r.before.Planned { // whatever runs is older than what is made now
		in.outliving = r.running()
	}
	if in.create == nil {
		for _, s := range r.authorities() {
			in.secrets = append(in.secrets, s.GetName())
		}
	}
	if r.RestartOperator {
		for _, o := range cluster.Operators {
			in.restartOperator = append(in.restartOperator, operatorText(o))
		}
	}
	if r.away != nil {
		in.scaleBack = []Step{r.planScaleBack()}
		if !r.namespaceMissing { // it came first otherwise
			in.hold = []Step{*r.planHold()}
		}
	}
	r.planAsides(&in)
	r.planRebind(&in)
	if err := r.planSnapshots(&in); err != nil {
		return err
	}
	plan := buildPlan(in)
	r.plan, r.result.Plan, r.result.ClusterID = &plan, &plan, id
	return nil
}

// operatorText names an operator and whose other clusters are without it while its pod starts again.
func operatorText(o strimzi.Operator) string {
	if slices.Equal(o.Watched, []string{"*"}) {
		return "operator " + o.Name() + ", which manages the clusters of all namespaces,"
	}
	return "operator " + o.Name() + ", which manages the clusters of " + strings.Join(o.Watched, ", ") + ","
}

// quotaPlan says whether the guard can be raised.
func (r *run) quotaPlan() quotaPlan {
	q := quotaPlan{claims: r.namespaceClaims, without: r.noQuota}
	if r.before.Planned && !r.RebindClaims { // whose claims are counted where they are planned
		q.claims += len(r.missingClaims()) // which are made before it
	}
	for _, c := range r.lost {
		q.lost = append(q.lost, "pvc/"+c.String())
	}
	return q
}

// excludedText says what becomes of the volumes that were given up.
func (r *run) excludedText() []string {
	var out []string
	for i := range r.before.Volumes {
		v := &r.before.Volumes[i]
		if !r.excluded[v.Name] {
			continue
		}
		text := v.Name + ": given up; what it held counts as lost"
		if slices.ContainsFunc(r.foreign, func(s string) bool { return strings.HasPrefix(s, v.Name+" says ") }) {
			text += "; its pod will not start (\"Invalid cluster.id\") until the volume is replaced"
		}
		out = append(out, text)
	}
	for i := range r.before.Others { // not read: no rule counts on it
		name := "pv/" + r.before.Others[i].Name
		if r.excluded[name] && !slices.ContainsFunc(out, func(s string) bool { return strings.HasPrefix(s, name+":") }) {
			out = append(out, name+": given up; it stays as it is, and no claim gets it")
		}
	}
	return out
}

// controllerClaims are the claims that hold a copy of the metadata log of a controller.
func controllerClaims(volumes []volume.Volume, excluded map[string]bool) []string {
	var claims []string
	for i := range volumes {
		v := &volumes[i]
		if v.Claim != nil && !excluded[v.Name] && v.HoldsMetadata() {
			claims = append(claims, v.Claim.Name)
		}
	}
	return claims
}

// accessName is the name of the Role that is proposed for missing permissions.
func accessName(namespace string) string { return fmt.Sprintf("kafkarecover-%s", namespace) }
