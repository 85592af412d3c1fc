package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// The steps that keep the operator away while resources are made.
const (
	StepHoldOperator StepID = "hold-operator" // before the namespace or the first resource
	StepScaleBack    StepID = "scale-back"    // once Kafka is stored paused
)

const (
	deploymentKind = "Deployment"
	// scaleResource is the subresource of a Deployment that holds nothing but its replicas.
	scaleResource = "scale"
	// mostReplicas is more than any operator is run with: a journal is input, and no undo makes a hundred pods for it.
	mostReplicas = 16
)

// FlagError says that a flag does not fit what is there. Nothing was touched.
type FlagError struct{ Flag, Why string }

// Error names the flag and the reason.
func (e *FlagError) Error() string { return e.Flag + ": " + e.Why }

// HoldAccess lists what keeping an operator at zero replicas needs: its number of replicas, and nothing else of it, can
// be changed with that.
func HoldAccess(namespace, deployment string) []kube.Access {
	const why = "keep the operator at zero replicas while resources are made"
	return []kube.Access{
		{Verb: "get", Group: "apps", Resource: "deployments", Namespace: namespace, Name: deployment, For: why},
		{
			Verb: "patch", Group: "apps", Resource: "deployments", Subresource: scaleResource, Namespace: namespace,
			Name: deployment, For: why,
		},
		{Verb: "list", Resource: "pods", Namespace: namespace, For: "see when the operator's pods are gone"},
		{
			Verb: "list", Group: kube.Autoscalers().Group, Resource: kube.Autoscalers().Resource, Namespace: namespace,
			For: "see whether something would scale the operator back",
		},
	}
}

// holding is an operator that is kept at zero replicas for a while.
type holding struct {
	operator strimzi.Operator
	uid      string
	// was is the number of replicas that it gets back.
	was int64
	// others are the other clusters that it manages, as NAMESPACE/NAME; unread says where they could not be read.
	others, unread []string
	findings       []finding.Finding
	// active tells that this operation has scaled it to zero, and not back.
	active bool
}

func (h *holding) String() string { return "deployment " + h.operator.Name() }

// command is what a person does where nobody else can.
func (h *holding) command() string {
	o := h.operator
	return fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=%d", o.Namespace, o.Deployment, h.was)
}

// heldOperators are those that count as being there although they are at zero replicas.
func (r *run) heldOperators() []string {
	if r.away == nil || !r.away.active {
		return nil
	}
	return []string{r.away.operator.Name()}
}

// chooseHold finds the one operator that is to be held. done tells that the run ends with a reason.
func (r *run) chooseHold() (done bool, err error) {
	operators := r.before.Cluster.Operators
	switch {
	case !r.HoldOperator, r.away != nil, !r.before.Cluster.OperatorsKnown: // the review of permissions says the latter
		return false, nil
	case !r.before.Planned && r.recorded != nil: // an earlier run has made what was missing
		return false, nil
	case !r.before.Planned:
		return false, &FlagError{Flag: holdFlag, Why: fmt.Sprintf("kafka/%s is there, so that nothing is made that the "+
			"operator could reconcile too early: it is paused, and that is proven; leave the flag out", r.Name)}
	case len(operators) == 0:
		return r.refuse(fmt.Sprintf("%s: no operator was found that would manage namespace %q: one that is at zero replicas "+
			"already needs no flag; scale it back by hand when the step %s waits", holdFlag, r.Namespace, StepPause)), nil
	case len(operators) > 1:
		var names []string
		for _, o := range operators {
			names = append(names, o.Name())
		}
		return r.refuse(fmt.Sprintf("%s: %d operators may manage namespace %q (%s): scale all but one of them to 0, then "+
			"run this again", holdFlag, len(operators), r.Namespace, strings.Join(names, ", "))), nil
	}
	r.away = &holding{operator: operators[0]}
	return false, nil
}

// judgeHold looks at the operator that is to be held: what it has, what would scale it back, whom else it manages. done
// tells that a rule refuses; nothing was touched then.
func (r *run) judgeHold(ctx context.Context) (done bool, err error) {
	h := r.away
	if h == nil {
		return false, nil
	}
	if h.active { // by an earlier run: refusing now would leave it there
		return false, r.findOthers(ctx)
	}
	u, err := r.operatorNow(ctx)
	if err != nil {
		return false, err
	}
	h.uid, h.was = string(u.GetUID()), replicasOf(u)
	if h.was < 1 || h.was > mostReplicas {
		return r.refuse(fmt.Sprintf("%s: %s asks for %s", holdFlag, h, replicasText(h.was))), nil
	}
	if err := r.findOthers(ctx); err != nil {
		return false, err
	}
	held := finding.HeldOperator{Meta: strimzi.ParseMeta(u.Object)}
	for _, owner := range object.Maps(u.Object, "metadata", "ownerReferences") {
		if kind := object.String(owner, "kind"); kind == finding.ClusterServiceVersion || object.Bool(owner, "controller") {
			held.Owners = append(held.Owners, finding.Controller{Kind: kind, Name: object.String(owner, "name")})
		}
	}
	if name := held.Labels[olmOwner]; name != "" && len(held.Owners) == 0 {
		held.Owners = append(held.Owners, finding.Controller{Kind: held.Labels[olmOwnerKind], Name: name})
	}
	if held.Autoscalers, err = r.autoscalers(ctx); err != nil {
		return false, err
	}
	h.findings = finding.JudgeHeld(held)
	d := finding.Decide(h.findings, r.Accept)
	if !d.Refused() {
		return false, nil
	}
	r.result.Findings, r.result.Refusals = h.findings, d.Refusals
	return r.refuse(fmt.Sprintf("%s. %s was not touched", refusing(d.Refusals), h)), nil
}

const (
	holdFlag = "--hold-operator"
	// What the Operator Lifecycle Manager leaves on the Deployments it makes.
	olmOwner     = "olm.owner"
	olmOwnerKind = "olm.owner.kind"
)

// withHeld adds what was found of the operator that is held.
func (r *run) withHeld(findings []finding.Finding) []finding.Finding {
	if r.away == nil || len(r.away.findings) == 0 {
		return findings
	}
	all := slices.Concat(findings, r.away.findings)
	finding.Sort(all)
	return all
}

// operatorNow is the operator's Deployment, the very one that was looked at.
func (r *run) operatorNow(ctx context.Context) (*unstructured.Unstructured, error) {
	h := r.away
	u, err := r.Kube.Get(ctx, kube.Deployments(), h.operator.Namespace, h.operator.Deployment)
	if err != nil {
		return nil, err
	}
	if h.uid != "" && string(u.GetUID()) != h.uid {
		return nil, fmt.Errorf("%s %w", h, errOtherOperator)
	}
	if _, ok := strimzi.ParseOperator(u.Object); !ok { // whatever a journal says
		return nil, fmt.Errorf("%s %w", h, errNoOperator)
	}
	return u, nil
}

var (
	errOtherOperator = errors.New("was replaced by another one since it was looked at")
	errNoOperator    = errors.New("is no Cluster Operator")
)

// replicasOf is the number of pods that a Deployment asks for; the API server fills in 1 where none is given.
func replicasOf(u *unstructured.Unstructured) int64 {
	n, set := object.Int(u.Object, "spec", "replicas")
	if !set {
		return 1
	}
	return n
}

// autoscalers are the names of those whose target the operator is.
func (r *run) autoscalers(ctx context.Context) ([]string, error) {
	list, err := r.Kube.List(ctx, kube.Autoscalers(), r.away.operator.Namespace, kube.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("look what would scale the operator back: %w", err)
	}
	var out []string
	for i := range list.Items {
		target := object.Map(list.Items[i].Object, "spec", "scaleTargetRef")
		if object.String(target, "kind") == deploymentKind &&
			object.String(target, "name") == r.away.operator.Deployment {
			out = append(out, list.Items[i].GetName())
		}
	}
	return out, nil
}

// findOthers finds the other clusters that the operator manages. Where they could not be read that is said: it is not
// none.
func (r *run) findOthers(ctx context.Context) error {
	h := r.away
	h.others, h.unread = nil, nil
	namespaces := h.operator.Watched
	if h.operator.WatchedUnknown != "" || slices.Contains(namespaces, strimzi.AllNamespaces) {
		namespaces = []string{""}
	}
	if text := h.operator.WatchedUnknown; text != "" {
		h.unread = append(h.unread, "which namespaces it watches is not known: "+text)
	}
	for _, namespace := range namespaces {
		list, err := r.Kube.List(ctx, r.pause.gvr, namespace, kube.ListOptions{})
		switch {
		case kube.IsForbidden(err) && namespace == "":
			h.unread = append(h.unread, "those of other namespaces could not be read")
			continue
		case kube.IsForbidden(err):
			h.unread = append(h.unread, fmt.Sprintf("those of namespace %s could not be read", namespace))
			continue
		case err != nil:
			return fmt.Errorf("look whom else the operator manages: %w", err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			watches, known := h.operator.Hold().Watches(u.GetNamespace(), u.GetLabels())
			if name := u.GetNamespace() + "/" + u.GetName(); (watches || !known) && name != r.Namespace+"/"+r.Name {
				h.others = append(h.others, name)
			}
		}
	}
	slices.Sort(h.others)
	return nil
}

// unmanaged says whom else nobody manages meanwhile.
func (h *holding) unmanaged() string {
	text := "no other Kafka cluster"
	if len(h.others) > 0 {
		text = "kafka " + strings.Join(h.others, ", kafka ")
	}
	if len(h.unread) > 0 {
		if len(h.others) == 0 {
			text = "clusters that are not known"
		}
		text += " (" + strings.Join(h.unread, "; ") + ")"
	}
	return fmt.Sprintf("leave without an operator until kafka is stored paused: %s", text)
}

// recordedHold is the operator that the operation was about to scale to zero and, so far as the journal tells, has not
// scaled back; nil where there is none. The journal is input: that it is a Cluster Operator at zero replicas is told by
// the API server.
func (r *Recorded) recordedHold() *holding {
	var h *holding
	for i := range r.Entries {
		e := &r.Entries[i]
		for j := range e.Changes {
			c := &e.Changes[j]
			if c.Object.Kind != deploymentKind || c.Subresource != scaleResource {
				continue
			}
			if e.Phase == PhaseDone {
				c = r.intentOf(i, c)
			}
			var patch map[string]any
			if json.Unmarshal(c.Patch, &patch) != nil || e.Phase != PhaseIntent && e.Phase != PhaseDone {
				continue
			}
			to, _ := object.Int(patch, "spec", "replicas")
			was, _ := object.Int(c.Before, "spec", "replicas")
			switch {
			case to == 0:
				h = &holding{was: was, uid: c.Object.UID, active: true, operator: strimzi.Operator{
					Namespace: c.Object.Namespace, Deployment: c.Object.Name,
				}}
			case e.Phase == PhaseDone:
				h = nil
			}
		}
	}
	if h != nil && (h.was < 1 || h.was > mostReplicas || h.uid == "") {
		return nil
	}
	return h
}

// adoptHold takes the operator that an earlier run has left at zero replicas for this run's own.
func (r *run) adoptHold(ctx context.Context) error {
	r.away = r.recorded.recordedHold()
	if r.away == nil {
		return nil
	}
	u, err := r.operatorNow(ctx)
	switch {
	case kube.IsNotFound(err):
		r.away = nil
	case errors.Is(err, errOtherOperator), errors.Is(err, errNoOperator):
		r.Report.Warn(err.Error() + ": it is left as it is")
		r.away = nil
	case err != nil:
		return fmt.Errorf("look at the operator that was scaled to zero: %w", err)
	case replicasOf(u) > 0: // somebody has scaled it back
		r.away = nil
	default:
		r.away.operator, _ = strimzi.ParseOperator(u.Object)
	}
	return nil
}
