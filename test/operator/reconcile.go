package operator

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// reconcile reads the resource and takes the paused or the un-paused path.
func (o *Operator) reconcile(ctx context.Context, key Key) error {
	kafka, err := o.getKafka(ctx, key)
	if err != nil || kafka == nil {
		return err
	}
	if isTrue(kafka.GetAnnotations(), annotationPause) {
		return o.reconcilePaused(ctx, key, kafka)
	}
	return o.reconcileActive(ctx, key, kafka)
}

// reconcilePaused writes what the real operator writes while paused: of the old status only clusterId and
// clusterSecurity stay (KafkaAssemblyOperator.createStatus), observedGeneration does not advance.
func (o *Operator) reconcilePaused(ctx context.Context, key Key, kafka *unstructured.Unstructured) error {
	old, _, _ := unstructured.NestedMap(kafka.Object, "status")
	status := map[string]any{
		"conditions":         []any{o.condition("ReconciliationPaused", "", "")},
		"observedGeneration": int64(0),
	}
	kept := []string{"clusterId", "observedGeneration"}
	if o.writesClusterSecurity() {
		kept = append(kept, "clusterSecurity")
	}
	for _, field := range kept {
		if value, ok := old[field]; ok && value != nil {
			status[field] = value
		}
	}
	if o.options.Hooks.PausedRead != nil {
		o.options.Hooks.PausedRead(ctx, key)
	}
	return o.writeStatus(ctx, key, status)
}

// writesClusterSecurity tells whether the release played knows status.clusterSecurity.
func (o *Operator) writesClusterSecurity() bool {
	return compareVersions(o.options.Version, "1.2.0") >= 0
}

// reconciliation is one un-paused reconcile.
type reconciliation struct {
	*Operator
	key Key
	// kafka is the resource as it was when the reconcile began: the final status is built from it.
	kafka  *unstructured.Unstructured
	status map[string]any

	version, metadataVersion, image string
	clusterID                       string
	pools                           []*pool
	nodes                           []node
	listeners                       []listener
	claims                          []*corev1.PersistentVolumeClaim
	secrets                         secretState
	// warnings are conditions of type Warning that go before the last one.
	warnings []any
}

// reconcileActive runs the steps and writes the final status, whatever came of them.
func (o *Operator) reconcileActive(ctx context.Context, key Key, kafka *unstructured.Unstructured) error {
	r := &reconciliation{Operator: o, key: key, kafka: kafka, status: map[string]any{}}
	failed := r.run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.options.Hooks.BeforeFinalStatus != nil {
		o.options.Hooks.BeforeFinalStatus(ctx, key)
	}
	if err := o.writeStatus(ctx, key, r.finalStatus(failed)); err != nil {
		return err
	}
	return failed
}

// finalStatus completes the status gathered by the steps from the snapshot of the start
// (KafkaAssemblyOperator.createOrUpdate).
func (r *reconciliation) finalStatus(failed error) map[string]any {
	status := r.status
	status["observedGeneration"] = r.kafka.GetGeneration()
	old, _, _ := unstructured.NestedMap(r.kafka.Object, "status")
	for _, field := range []string{"clusterId", "kafkaVersion", "kafkaMetadataVersion", "clusterSecurity"} {
		if value, ok := old[field]; ok && value != nil && status[field] == nil {
			status[field] = value
		}
	}
	if value, ok := old["operatorLastSuccessfulVersion"]; ok {
		status["operatorLastSuccessfulVersion"] = value
	}
	last := r.condition("Ready", "", "")
	if failed != nil {
		failure := failureOf(failed)
		last = r.condition("NotReady", failure.Reason, failure.Message)
	} else {
		status["operatorLastSuccessfulVersion"] = r.options.Version
	}
	status["conditions"] = append(r.warnings, last)
	return status
}

// run does the steps in the order of KafkaAssemblyOperator.reconcile and KafkaReconciler.reconcile.
func (r *reconciliation) run(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"initialize", r.initialize},
		{"initialStatus", r.initialStatus},
		{"reconcileCas", r.reconcileCAs},
		{"versionChange", r.versionChange},
		{"model", r.model},
		{"pvcs", r.reconcileClaims},
		{"serviceAccount", r.serviceAccount},
		{"updateNodePoolStatuses", r.updatePoolStatuses},
		{"listeners", r.services},
		{"certificateSecrets", r.certificateSecrets},
		{"brokerConfigurationConfigMaps", r.configMaps},
		{"podSet", r.reconcilePodSets},
		{"rollingUpdate", r.rollingUpdate},
		{"podsReady", r.podsReady},
		{"clusterId", r.liveClusterID},
		{"deletePersistentClaims", r.deleteClaims},
		{"updateKafkaStatus", r.updateKafkaStatus},
	}
	for _, step := range steps {
		if r.options.Hooks.Step != nil {
			if err := r.options.Hooks.Step(ctx, r.key, step.name); err != nil {
				return err
			}
		}
		if err := step.do(ctx); err != nil {
			r.log.Info("step failed", "kafka", r.key.String(), "step", step.name, "error", err)
			return err
		}
	}
	return nil
}

func (r *reconciliation) initialize(context.Context) error {
	if r.writesClusterSecurity() {
		r.status["clusterSecurity"] = map[string]any{
			"authentication": map[string]any{"type": "strimzi-mtls"},
			"encryption":     map[string]any{"type": "strimzi-tls"},
		}
	}
	return nil
}

// initialStatus says NotReady/Creating on a resource that has no status at all yet.
func (r *reconciliation) initialStatus(ctx context.Context) error {
	current, err := r.getKafka(ctx, r.key)
	if err != nil || current == nil || current.Object["status"] != nil {
		return err
	}
	return r.putStatus(ctx, r.at.kafkas, current, map[string]any{
		"conditions":         []any{r.condition("NotReady", "Creating", "Kafka cluster is being deployed")},
		"observedGeneration": int64(0),
	})
}

// versionChange settles the Kafka version. Without pods the version of the resource simply starts on whatever data
// there is; this double knows no upgrades.
func (r *reconciliation) versionChange(context.Context) error {
	r.version, _, _ = unstructured.NestedString(r.kafka.Object, "spec", "kafka", "version")
	if r.version == "" {
		r.version = r.options.DefaultKafka
	}
	image, known := r.options.KafkaImages[r.version]
	if !known {
		supported := make([]string, 0, len(r.options.KafkaImages))
		for version := range r.options.KafkaImages {
			supported = append(supported, version)
		}
		slices.SortFunc(supported, compareVersions)
		return failf("UnsupportedKafkaVersionException",
			"Unsupported Kafka.spec.kafka.version: %s. Supported versions are: %v", r.version, supported)
	}
	r.image = image
	if own, _, _ := unstructured.NestedString(r.kafka.Object, "spec", "kafka", "image"); own != "" {
		r.image = own
	}
	r.metadataVersion, _, _ = unstructured.NestedString(r.kafka.Object, "spec", "kafka", "metadataVersion")
	if r.metadataVersion == "" {
		r.metadataVersion = defaultMetadataVersion(r.version)
	}
	return nil
}

// defaultMetadataVersion is that of Strimzi's kafka-versions.yaml: the minor release, from 4.1 on with its last step.
func defaultMetadataVersion(kafka string) string {
	parts := versionParts(kafka)
	line := fmt.Sprintf("%d.%d", at(parts, 0), at(parts, 1))
	if version, ok := map[string]string{"4.1": "4.1-IV1", "4.2": "4.2-IV1", "4.3": "4.3-IV0"}[line]; ok {
		return version
	}
	return line
}

// model reads the pools, assigns node IDs and chooses the cluster ID.
func (r *reconciliation) model(ctx context.Context) error {
	selector := labels.Set{labelCluster: r.key.Name}.String()
	list, err := r.dynamic.Resource(r.at.pools).Namespace(r.key.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return apiFailure("GET", "/apis/"+groupKafka+"/kafkanodepools", err)
	}
	if r.pools, err = readPools(r.key.Name, list.Items); err != nil {
		return err
	}
	r.nodes = nodesOf(r.pools)
	if r.listeners, err = readListeners(r.kafka); err != nil {
		return err
	}
	r.clusterID, err = chooseClusterID(r.kafka, r.pools)
	return err
}

// chooseClusterID is NodePoolUtils.getOrGenerateKRaftClusterId: the Kafka resource's own, else that of the first pool
// that has one, else a random one. An empty string counts as set. The volumes are never looked at.
func chooseClusterID(kafka *unstructured.Unstructured, pools []*pool) (string, error) {
	candidates := []*unstructured.Unstructured{kafka}
	for _, p := range pools {
		candidates = append(candidates, p.object)
	}
	for _, object := range candidates {
		if id, found, _ := unstructured.NestedString(object.Object, "status", "clusterId"); found {
			return id, nil
		}
	}
	return randomUUID()
}

// updatePoolStatuses writes the pools' statuses early, before any pod exists.
func (r *reconciliation) updatePoolStatuses(ctx context.Context) error {
	var used []any
	for _, p := range r.pools {
		used = append(used, map[string]any{"name": p.name})
		if err := r.putStatus(ctx, r.at.pools, p.object, poolStatus(p, r.clusterID)); err != nil {
			return err
		}
	}
	r.status["kafkaNodePools"] = used
	return nil
}

func poolStatus(p *pool, clusterID string) map[string]any {
	ids := make([]any, len(p.ids.desired))
	for i, id := range p.ids.desired {
		ids[i] = int64(id)
	}
	roles := slices.Clone(p.roles)
	slices.SortFunc(roles, func(a, b string) int { return roleOrder(a) - roleOrder(b) })
	sorted := make([]any, len(roles))
	for i, role := range roles {
		sorted[i] = role
	}
	return map[string]any{
		"clusterId": clusterID, "conditions": []any{}, "nodeIds": ids, "roles": sorted, "replicas": int64(len(ids)),
		"observedGeneration": p.object.GetGeneration(),
		"labelSelector": fmt.Sprintf("%s=%s,%s=%s-kafka,%s=Kafka,%s=%s",
			labelCluster, p.cluster, labelName, p.cluster, labelKind, labelPool, p.name),
	}
}

// roleOrder is the order of the enum ProcessRoles.
func roleOrder(role string) int {
	if role == "controller" {
		return 0
	}
	return 1
}

// liveClusterID takes the ID from the nodes that run. Errors only warn, as with the real operator.
func (r *reconciliation) liveClusterID(ctx context.Context) error {
	id, err := r.runtime.ClusterID(ctx, r.key.Namespace, podNames(r.nodes))
	if err != nil {
		r.log.Warn("read the cluster ID of the running cluster", "kafka", r.key.String(), "error", err)
		return nil
	}
	r.status["clusterId"] = id
	r.status["kafkaMetadataVersion"] = r.metadataVersion
	return nil
}

func podNames(nodes []node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.podName()
	}
	return names
}

func (r *reconciliation) updateKafkaStatus(context.Context) error {
	r.status["kafkaVersion"] = r.version
	var statuses []any
	for _, l := range r.listeners {
		statuses = append(statuses, l.status(r.key))
	}
	r.status["listeners"] = statuses
	return nil
}
