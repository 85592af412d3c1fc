package recovery

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// convertManifests puts the declared resources into a version that is served. What cannot be converted is kept for
// mayCreate: where the Kafka resource is there, nothing of it is created.
func (r *run) convertManifests(ctx context.Context) error {
	served, err := r.Kube.ServedVersions(ctx, strimzi.Group)
	if err != nil {
		return err
	}
	r.converted, r.inconvertible = r.Declared.Convert(served)
	return nil
}

// tryManifests has the API server check every declared resource as a whole, before anything is changed: a field that it
// does not know, or a webhook that refuses, would otherwise come out when claims are bound already. Nothing can be
// tried in a namespace that is not there yet. Secrets are not tried: one that is there is no fault.
func (r *run) tryManifests(ctx context.Context) error {
	if r.recorded != nil || r.namespaceMissing || r.DryRun == DryRunClient {
		return nil
	}
	d := r.Declared
	kafka := []*unstructured.Unstructured{annotated(d.Kafka, strimzi.PauseAnnotation, "true")}
	var errs []error
	for _, kind := range append(r.declaredKinds(), declaredKind{r.pause.gvr, kafka}) {
		for _, o := range kind.objects {
			notMade := r.standing[declared.Ref(o)] || o.GetKind() == strimzi.UserKind && !d.KeepsCredentials(o)
			if notMade {
				continue
			}
			if _, err := r.Kube.Create(ctx, kind.gvr, o, true); err != nil {
				errs = append(errs, fmt.Errorf("try %s on the API server, before anything is changed: %w; mend its manifest, "+
					"then run this again", declared.Ref(o), err))
			}
		}
	}
	return errors.Join(errs...)
}
