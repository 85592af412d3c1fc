package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// HeldOperator is the Deployment of a Cluster Operator that is to be kept at zero replicas for a while, with what would
// scale it back meanwhile.
type HeldOperator struct {
	strimzi.Meta
	// Owners are the objects that control the Deployment.
	Owners []Controller
	// Autoscalers are the names of the HorizontalPodAutoscalers whose target it is.
	Autoscalers []string
}

// Controller is an object that keeps another one as it says.
type Controller struct{ Kind, Name string }

func (h *HeldOperator) subject() string { return "operator/" + h.Namespace + "/" + h.Name }

const (
	gitopsActive          = "gitops-active"
	operatorScaledByOther = "operator-scaled-by-other"
)

// ClusterServiceVersion is the kind from which the Operator Lifecycle Manager makes Deployments.
const ClusterServiceVersion = "ClusterServiceVersion"

// heldRules judge an operator before it is scaled to zero.
func heldRules() []entry {
	return []entry{
		{Rule{
			ID: operatorScaledByOther, Severity: Error, Refuses: true, Without: DataLost,
			Title: "something else would scale the operator back",
			What: "Objects that control the Deployment of an operator that is to be kept at zero replicas, such as a " +
				"ClusterServiceVersion, and HorizontalPodAutoscalers whose target it is.",
			Why: "An operator that comes back early reconciles what was created by then: without every pool and node ID, or " +
				"a Kafka resource that somebody else has applied without a pause.",
			Source: "Operator Lifecycle Manager: deployments of a ClusterServiceVersion; Kubernetes: HorizontalPodAutoscaler",
			Remedy: "stop what controls it, then accept it; or leave --hold-operator out",
		}, judgeScaledByOther},
	}
}

// JudgeHeld evaluates what can be said of an operator before it is scaled to zero.
func JudgeHeld(h HeldOperator) []Finding {
	s := newScene(Input{Held: &h})
	var out []Finding
	for _, e := range entries() {
		if !slices.Contains([]string{operatorScaledByOther, gitopsActive}, e.ID) {
			continue
		}
		for _, f := range e.judge(s) {
			out = append(out, e.finding(f))
		}
	}
	Sort(out)
	return out
}

func judgeScaledByOther(s *scene) []found {
	h := s.in.Held
	if h == nil {
		return nil
	}
	var evidence, remedies []string
	for _, o := range h.Owners {
		evidence = append(evidence, fmt.Sprintf("%s: controlled by %s %s", h.subject(), o.Kind, quoted(o.Name)))
		if o.Kind != ClusterServiceVersion {
			remedies = append(remedies, fmt.Sprintf("stop %s %s from scaling it, then accept it", o.Kind, quoted(o.Name)))
			continue
		}
		remedies = append(remedies, fmt.Sprintf("leave --hold-operator out and hold it by hand: kubectl -n %s patch "+
			`clusterserviceversions.operators.coreos.com %s --type json -p '[{"op":"replace",`+
			`"path":"/spec/install/spec/deployments/0/spec/replicas","value":0}]'`+", and back to what it was when the step "+
			"pause waits; or stop the Operator Lifecycle Manager for the time, then accept it",
			objectName(h.Namespace), objectName(o.Name)))
	}
	for _, name := range h.Autoscalers {
		evidence = append(evidence, fmt.Sprintf("%s: target of horizontalpodautoscaler/%s", h.subject(), objectName(name)))
		remedies = append(remedies, fmt.Sprintf("save it and take it away for the time: kubectl -n %s delete "+
			"horizontalpodautoscaler %s", objectName(h.Namespace), objectName(name)))
	}
	if len(evidence) == 0 {
		return nil
	}
	return []found{{
		subject: h.subject(), evidence: evidence, message: "would not stay at zero replicas",
		remedy: strings.Join(remedies, "; "),
	}}
}
