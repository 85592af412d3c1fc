package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// StepSecrets creates the Secrets of the certificate authorities where the Kafka resource is there and they are gone.
const StepSecrets StepID = "secrets"

// findStanding finds which of the declared resources are there although the Kafka resource is not: pools, topics and
// users are not deleted with it. They stay as they are. A pool that differs from its manifest is refused: the person
// has judged one, and the operator would act on the other.
func (r *run) findStanding(ctx context.Context) error {
	r.standing = map[string]bool{}
	for _, kind := range r.declaredKinds() {
		list, err := r.Kube.List(ctx, kind.gvr, r.Namespace, kube.ListOptions{})
		if kube.IsForbidden(err) { // the review of permissions says so
			return nil
		}
		if err != nil {
			return fmt.Errorf("look which resources are there: %w", err)
		}
		for i := range list.Items {
			if err := r.stands(&list.Items[i], kind.objects); err != nil {
				return err
			}
		}
	}
	return nil
}

// declaredKind is the declared resources of one kind.
type declaredKind struct {
	gvr     schema.GroupVersionResource
	objects []*unstructured.Unstructured
}

// declaredKinds are the kinds that may be there without their Kafka resource.
func (r *run) declaredKinds() []declaredKind {
	version := r.before.Cluster.Version()
	return []declaredKind{
		{strimzi.NodePoolGVR(version), r.Declared.Pools}, {strimzi.TopicGVR(version), r.Declared.Topics},
		{strimzi.UserGVR(version), r.Declared.Users},
	}
}

// stands notes a resource that is there, unless an earlier run of this operation made it.
func (r *run) stands(u *unstructured.Unstructured, manifests []*unstructured.Unstructured) error {
	i := slices.IndexFunc(manifests, func(o *unstructured.Unstructured) bool { return o.GetName() == u.GetName() })
	if i < 0 || (r.operation != "" && isOwn(u, r.operation)) {
		return nil
	}
	var differ []string
	have, want := object.Map(u.Object, "spec"), object.Map(manifests[i].Object, "spec")
	for _, key := range sortedKeys(have) {
		if !sameJSON(have[key], want[key]) {
			differ = append(differ, key)
		}
	}
	for _, key := range sortedKeys(want) {
		if _, there := have[key]; !there {
			differ = append(differ, key)
		}
	}
	if u.GetKind() == strimzi.NodePoolKind && len(differ) > 0 {
		return fmt.Errorf("%s is there already, and its spec is not as declared (%s): give it as it is, or make it as it "+
			"was, then run this again", declared.Ref(u), strings.Join(differ, ", "))
	}
	r.standing[declared.Ref(u)] = true
	return nil
}

// authorities are the declared Secrets of the cluster's certificate authorities. A cluster whose claims are to be bound
// anew has its own.
func (r *run) authorities() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	if r.Declared != nil && !r.RebindClaims {
		for _, s := range r.Declared.Secrets {
			if slices.Contains(strimzi.AuthoritySecrets(r.Name), s.GetName()) {
				out = append(out, s)
			}
		}
	}
	return out
}

// warnOfManifests says which manifests are not needed where the Kafka resource is there.
func (r *run) warnOfManifests() {
	switch {
	case r.Declared == nil:
	case r.RebindClaims:
		r.Report.Warn("kafka/" + r.Name + " is there: nothing of the manifests is created")
	default:
		r.Report.Warn(fmt.Sprintf("kafka/%s is there: of the manifests only Secrets of its certificate authorities are "+
			"created, and only where they are gone (%d are given)", r.Name, len(r.authorities())))
	}
}

func secretsStep(in planInput) []Step {
	if len(in.secrets) == 0 {
		return nil
	}
	s := Step{
		ID: StepSecrets, Title: "create the Secrets of the certificate authorities, where they are gone",
		Expects: []string{"the pause is proven: an operator that goes on would make new ones"},
		Check:   "the API server has stored them; one that is there stays as it is",
		Undo:    "delete those that were created",
	}
	for _, name := range in.secrets {
		s.Does = append(s.Does, "create secret/"+name)
	}
	return []Step{s}
}

func (r *run) stepSecrets(ctx context.Context) (string, error) {
	made, all := 0, r.authorities()
	for _, s := range all {
		did, err := r.createSecret(ctx, StepSecrets, created{kube.Secrets(), r.stamped(s)})
		if err != nil {
			return "", err
		}
		if did {
			made++
		}
	}
	return fmt.Sprintf("%d created, %d were there", made, len(all)-made), nil
}

// createSecret creates a Secret, unless one of that name is there. What is in that one is not looked at (safety
// contract, line 8), so it stays.
func (r *run) createSecret(ctx context.Context, step StepID, c created) (made bool, err error) {
	_, err = r.write.create(ctx, step, c.gvr, c.object)
	switch {
	case kube.IsAlreadyExists(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("create secret/%s: %w", c.object.GetName(), err)
	}
	r.secretsMade = append(r.secretsMade, c.object.GetName())
	return true, nil
}

// maySecretStand tells whether a Secret of that name may be there already: those of authorities, which a person may
// have put there before, and what the users' manifests allow.
func (r *run) maySecretStand(name string) bool {
	return slices.Contains(strimzi.AuthoritySecrets(r.Name), name) ||
		r.Declared.MayStand(name, func(ref string) bool { return r.standing[ref] })
}

// madeSecret tells whether this operation created a Secret.
func (r *run) madeSecret(name string) bool {
	ref := &ObjectRef{Kind: "Secret", Namespace: r.Namespace, Name: name}
	return slices.Contains(r.secretsMade, name) || (r.recorded != nil && r.recorded.made(ref))
}

// newAuthorities says what those who connect have to do where the cluster has other certificate authorities than
// before. That it has is certain where the operator could not reach the pods; where Secrets were not given it depends
// on whether they were there.
func (r *run) newAuthorities() []string {
	restarted := r.plan.step(StepRestartTogether)
	certain := restarted != nil && restarted.State == StepDone
	if !certain && r.plan.step(StepResources) == nil {
		return nil
	}
	var out []string
	for _, a := range []struct{ name, means string }{
		{r.Name + "-cluster-ca", "clients that connect with TLS must trust ca.crt of secret/" + r.Name +
			"-cluster-ca-cert from now on"},
		{r.Name + "-clients-ca", "users who authenticate with a TLS certificate need a new one"},
	} {
		made := r.madeSecret(a.name) && r.madeSecret(a.name+"-cert")
		switch {
		case made:
		case certain:
			out = append(out, fmt.Sprintf("the certificate authority %s is a new one: %s", a.name, a.means))
		default:
			out = append(out, fmt.Sprintf("the Secrets of the certificate authority %s were not given: unless they were "+
				"there, the operator has made a new one, and %s", a.name, a.means))
		}
	}
	return out
}
