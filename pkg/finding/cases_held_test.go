package finding_test

import (
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// held is the operator's Deployment, to be kept at zero replicas.
func (w *world) held(change func(*finding.HeldOperator)) {
	w.Held = &finding.HeldOperator{Meta: strimzi.Meta{Namespace: "strimzi", Name: "op"}}
	change(w.Held)
}

func heldCases() []ruleCase {
	const subject = "operator/strimzi/op"
	return []ruleCase{
		{
			rule: "operator-scaled-by-other", name: "owned", want: []string{subject},
			change: func(w *world) {
				w.held(func(h *finding.HeldOperator) {
					h.Owners = []finding.Controller{{Kind: "ClusterServiceVersion", Name: "strimzi.v1.2.0"}}
					h.Autoscalers = []string{"more"}
				})
			},
			says: []string{
				`controlled by ClusterServiceVersion "strimzi.v1.2.0"`,
				"kubectl -n strimzi patch clusterserviceversions.operators.coreos.com strimzi.v1.2.0",
				"target of horizontalpodautoscaler/more", "kubectl -n strimzi delete horizontalpodautoscaler more",
			},
		},
		{
			rule: "operator-scaled-by-other", name: "no name to be copied into a command", want: []string{subject},
			change: func(w *world) {
				w.held(func(h *finding.HeldOperator) {
					h.Owners = []finding.Controller{{Kind: "ClusterServiceVersion", Name: "x; rm -rf /"}}
				})
			},
			says: []string{"clusterserviceversions.operators.coreos.com NAME"},
		},
		{
			rule: "operator-scaled-by-other", name: "nobody's",
			change: func(w *world) { w.held(func(*finding.HeldOperator) {}) },
		},
		{
			rule: "gitops-active", name: "the operator to be held", want: []string{subject},
			change: func(w *world) {
				w.held(func(h *finding.HeldOperator) {
					h.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "infra"}
				})
			},
			says: []string{"kustomizations.kustomize.toolkit.fluxcd.io infra", "--accept gitops-active=" + subject},
		},
		{
			rule: "operator-not-ready", name: "at zero replicas for a while",
			change: func(w *world) {
				w.Cluster.Operators = []strimzi.Operator{
					{Namespace: "strimzi", Deployment: "op", Watched: []string{"*"}, Held: true},
				}
			},
		},
	}
}
