package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// stepTopics gives the topics whose manifest says what the metadata says to the Topic Operator. The others stay out of
// its hands: it would remove configuration that the manifest does not have, and add partitions that nobody can take
// away again (BatchingTopicController.java).
func (r *run) stepTopics(ctx context.Context) (string, error) {
	image, err := r.copiedImage()
	if err != nil {
		return "", err
	}
	given, kept := 0, 0
	for _, topic := range r.Declared.Topics {
		ours, err := r.keptOut(ctx, topic)
		if err != nil {
			return "", err
		}
		if !ours { // it was there, or its manifest keeps it out
			kept++
			continue
		}
		differences := declared.TopicDifferences(topic, image)
		if len(differences) > 0 {
			kept++
			r.result.Next = append(r.result.Next, fmt.Sprintf("kafkatopic/%s is not as the topic on the volumes (%s); it "+
				"stays out of the Topic Operator's hands until its manifest is right and the annotation %s is removed",
				topic.GetName(), strings.Join(differences, "; "), strimzi.ManagedAnnotation))
			continue
		}
		if err := r.atNewest(ctx, func(ctx context.Context) error { return r.manage(ctx, topic) }); err != nil {
			return "", fmt.Errorf("give kafkatopic %q to the Topic Operator: %w", topic.GetName(), err)
		}
		given++
	}
	return fmt.Sprintf("%d given, %d left as they are", given, kept), nil
}

// keptOut tells whether it is this operation that keeps a topic out of the Topic Operator's hands.
func (r *run) keptOut(ctx context.Context, topic *unstructured.Unstructured) (bool, error) {
	if topic.GetAnnotations()[strimzi.ManagedAnnotation] == "false" {
		return false, nil
	}
	u, err := r.Kube.Get(ctx, strimzi.TopicGVR(r.before.Cluster.Version()), r.Namespace, topic.GetName())
	if err != nil {
		return false, fmt.Errorf("look at kafkatopic %q: %w", topic.GetName(), err)
	}
	return isOwn(u, r.operation), nil
}

// manage takes back the annotation that keeps the Topic Operator away: it becomes what it is in the manifest.
func (r *run) manage(ctx context.Context, topic *unstructured.Unstructured) error {
	declaredAs := "null"
	if own, has := topic.GetAnnotations()[strimzi.ManagedAnnotation]; has {
		declaredAs = strconv.Quote(own)
	}
	gvr := strimzi.TopicGVR(r.before.Cluster.Version())
	u, err := r.Kube.Get(ctx, gvr, r.Namespace, topic.GetName())
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"metadata":{"resourceVersion":%q,"annotations":{%q:%s}}}`, u.GetResourceVersion(),
		strimzi.ManagedAnnotation, declaredAs)
	_, err = r.write.patch(ctx, StepTopics, gvr, u, strimzi.Patch{Body: []byte(body)})
	return err
}

// copiedImage replays the metadata log that goes furthest of those that were copied before anything started.
func (r *run) copiedImage() (*metadata.Image, error) {
	root := filepath.Join(r.result.Folder, copiesDir)
	logs, err := filepath.Glob(filepath.Join(root, "*", "*", metadata.Dir))
	if err != nil {
		return nil, fmt.Errorf("find the copied metadata: %w", err)
	}
	var best *metadata.Image
	for _, log := range logs {
		dir, err := filepath.Rel(root, log)
		if err != nil {
			return nil, fmt.Errorf("find the copied metadata: %w", err)
		}
		image, err := metadata.ReadImage(os.DirFS(root), path.Clean(filepath.ToSlash(dir)), metadata.ReadOptions{})
		if err != nil {
			return nil, fmt.Errorf("read the copied metadata: %w", err)
		}
		if best == nil || image.EndOffset() > best.EndOffset() {
			best = image
		}
	}
	if best == nil {
		return nil, fmt.Errorf("read the copied metadata: there is none below %q", root)
	}
	return best, nil
}

// stepEntityOperator puts back what the manifest says of the Entity Operator, now that everything it could take for
// superfluous is known, and waits for the operator to have done it.
func (r *run) stepEntityOperator(ctx context.Context) (string, error) {
	spec, _, err := unstructured.NestedMap(r.Declared.Kafka.Object, "spec", "entityOperator")
	if err != nil {
		return "", fmt.Errorf("read spec.entityOperator of the manifest: %w", err)
	}
	if err := r.atNewest(ctx, func(ctx context.Context) error { return r.addEntityOperator(ctx, spec) }); err != nil {
		return "", fmt.Errorf("add the Entity Operator to kafka %q: %w", r.Name, err)
	}
	_, err = r.Kube.WaitFor(ctx, kube.Wait{
		Resource: r.pause.gvr, Namespace: r.Namespace, Name: r.Name, Timeout: r.Timeout, Flag: "--timeout",
		What: fmt.Sprintf("kafka %q to be ready with its Entity Operator", r.Namespace+"/"+r.Name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if err := r.pause.same(u); err != nil {
				return false, "", err
			}
			kafka := strimzi.ParseKafka(u.Object)
			check := r.base.checkReady(&strimzi.Cluster{Kafka: kafka})
			return check.State == CheckPassed, check.Detail, nil
		},
		OnChange: func(seen string) { r.Report.Waiting(StepEntityOperator, seen) },
	})
	return "", err
}

func (r *run) addEntityOperator(ctx context.Context, spec map[string]any) error {
	u, err := r.pause.get(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": u.GetResourceVersion()},
		"spec":     map[string]any{"entityOperator": spec},
	})
	if err != nil {
		return fmt.Errorf("build the patch of spec.entityOperator: %w", err)
	}
	_, err = r.write.patch(ctx, StepEntityOperator, r.pause.gvr, u, strimzi.Patch{Body: body})
	return err
}

// heldBack says what is not as it was before, and what brings it back: authorities, and what of the manifests was not
// created.
func (r *run) heldBack() []string {
	out := r.newAuthorities()
	if s := r.plan.step(StepResources); s != nil && s.Risk != "" {
		out = append(out, s.Risk+"; apply them with their Secrets, or alone where new ones are wanted")
	}
	if s := r.plan.step(StepEntityOperator); s != nil && strings.HasPrefix(s.Note, entityOperatorLeftOut) {
		out = append(out, fmt.Sprintf("the Entity Operator is %s; make their KafkaUsers, each with its Secret, then add "+
			"spec.entityOperator to kafka/%s", s.Note, r.Name))
	}
	return out
}

// entityOperatorLeftOut begins the note of the step that is skipped for users' sake.
const entityOperatorLeftOut = "left out: it would delete users that have no KafkaUser: "

// unknownUsers are the users of the metadata that no KafkaUser will be created for: the User Operator deletes them from
// Kafka (KafkaUserOperator.java).
func (r *run) unknownUsers() []string {
	var known, out []string
	created, _ := r.Declared.UsersBySecret()
	for _, u := range created {
		known = append(known, u.GetName())
	}
	for _, u := range r.Declared.Users {
		if r.standing[declared.Ref(u)] {
			known = append(known, u.GetName())
		}
	}
	if !r.before.Planned {
		known = append(known, r.before.Cluster.KafkaUsers...)
	}
	for i := range r.before.Volumes {
		image := r.before.Volumes[i].Image
		if image == nil || r.excluded[r.before.Volumes[i].Name] {
			continue
		}
		for _, user := range image.Users {
			if !slices.Contains(known, user) && !slices.Contains(out, user) {
				out = append(out, user)
			}
		}
	}
	slices.Sort(out)
	return out
}
