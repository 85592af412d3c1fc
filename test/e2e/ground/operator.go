package ground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/test/operator/crds"
	"github.com/kafkarecover/kafkarecover/test/operator/deploy"
	"github.com/kafkarecover/kafkarecover/test/sandbox/image"
)

// OperatorName is the name of the operator's Deployment.
const OperatorName = "strimzi-cluster-operator"

// Operator says how the operator of a namespace is to run.
type Operator struct {
	Timeout, Interval time.Duration
	// Race widens one of the double's races ("a=2s"); a real operator does not know the variable.
	Race string
}

// InstallOperator deploys an operator that watches the namespace it is deployed to, and waits until it is ready.
func (w *World) InstallOperator(ctx context.Context, namespace string, o Operator) error {
	objects, err := w.operatorManifests(ctx)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := o.adapt(object, namespace); err != nil {
			return err
		}
		if object.GetKind() == "CustomResourceDefinition" {
			if err := crds.Install(ctx, w.Dynamic, []*unstructured.Unstructured{object}); err != nil {
				return err
			}
			continue
		}
		if err := w.place(object, namespace); err != nil {
			return err
		}
		if err := w.Apply(ctx, object); err != nil {
			return err
		}
	}
	return Wait(ctx, 3*time.Minute, "the operator is ready", func(ctx context.Context) error {
		d, err := w.Client.AppsV1().Deployments(namespace).Get(ctx, OperatorName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if d.Status.ReadyReplicas == 0 || d.Status.ObservedGeneration != d.Generation {
			return errors.New("no replica is ready")
		}
		return nil
	})
}

// operatorManifests are those of the directory named, or the double's with generated resource definitions.
func (w *World) operatorManifests(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if w.Manifests == "" {
		definitions, err := crds.Generate(ctx, "", crds.V1)
		if err != nil {
			return nil, err
		}
		objects, err := documents(deploy.Manifests)
		return append(definitions, objects...), err
	}
	files, err := filepath.Glob(filepath.Join(w.Manifests, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("read the operator's manifests: no *.yaml in %q", w.Manifests)
	}
	slices.Sort(files)
	var objects []*unstructured.Unstructured
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the operator's manifests: %w", err)
		}
		found, err := documents(raw)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", file, err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

func (w *World) place(object *unstructured.Unstructured, namespace string) error {
	mapping, err := w.mapping(object.GetAPIVersion(), object.GetKind())
	if err != nil {
		return err
	}
	if mapping.Scope.Name() == "namespace" {
		object.SetNamespace(namespace)
	}
	return nil
}

// adapt points bindings to the namespace and sets the operator's times. A ClusterRoleBinding gets a name of its own
// for each namespace, so that several operators live side by side.
func (o Operator) adapt(object *unstructured.Unstructured, namespace string) error {
	switch object.GetKind() {
	case "ClusterRoleBinding":
		object.SetName(object.GetName() + "-" + namespace)
		return pointSubjects(object, namespace)
	case "RoleBinding":
		return pointSubjects(object, namespace)
	case "Deployment":
		return o.setEnv(object)
	}
	return nil
}

func pointSubjects(object *unstructured.Unstructured, namespace string) error {
	subjects, _, _ := unstructured.NestedSlice(object.Object, "subjects")
	for _, s := range subjects {
		if subject, ok := s.(map[string]any); ok {
			subject["namespace"] = namespace
		}
	}
	return unstructured.SetNestedSlice(object.Object, subjects, "subjects")
}

func (o Operator) setEnv(deployment *unstructured.Unstructured) error {
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(deployment.Object, path...)
	if err != nil || len(containers) == 0 {
		return fmt.Errorf("read the operator's Deployment: it has no container: %w", err)
	}
	container, _ := containers[0].(map[string]any)
	env, _ := container["env"].([]any)
	wanted := map[string]string{}
	if o.Timeout > 0 {
		wanted["STRIMZI_OPERATION_TIMEOUT_MS"] = strconv.FormatInt(o.Timeout.Milliseconds(), 10)
	}
	if o.Interval > 0 {
		wanted["STRIMZI_FULL_RECONCILIATION_INTERVAL_MS"] = strconv.FormatInt(o.Interval.Milliseconds(), 10)
	}
	if o.Race != "" {
		wanted["DOUBLE_RACE"] = o.Race
	}
	env = slices.DeleteFunc(env, func(e any) bool {
		entry, _ := e.(map[string]any)
		name, _ := entry["name"].(string)
		_, replaced := wanted[name]
		return replaced
	})
	for name, value := range wanted {
		env = append(env, map[string]any{"name": name, "value": value})
	}
	container["env"] = env
	return unstructured.SetNestedSlice(deployment.Object, containers, path...)
}

// RestartOperator deletes the operator's pod; its Deployment makes another.
func (w *World) RestartOperator(ctx context.Context, namespace string) error {
	err := w.Client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "name=" + OperatorName})
	if err != nil {
		return fmt.Errorf("restart the operator: %w", err)
	}
	return nil
}

// loadImages puts the operator's and Kafka's images on the nodes.
func (w *World) loadImages(ctx context.Context) error {
	if w.Sandbox == nil {
		return nil // the cluster's nodes pull their images themselves, or have them
	}
	archives := slices.Clone(w.Images)
	if w.Manifests == "" {
		double, err := w.doubleImage(ctx)
		if err != nil {
			return err
		}
		archives = append(archives, double)
	}
	if len(w.Images) == 0 {
		kafka, err := w.kafkaImage(ctx)
		if err != nil {
			return err
		}
		archives = append(archives, kafka)
	}
	w.say("loading images: %v", archives)
	if err := w.Sandbox.Load(ctx, archives...); err != nil {
		return fmt.Errorf("load images: %w", err)
	}
	return nil
}

// doubleImage builds the double's program and an image of nothing else.
func (w *World) doubleImage(ctx context.Context) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	program := filepath.Join(w.work, "operator")
	if err := goBuild(ctx, filepath.Join(root, "test", "operator"), program, "./cmd/operator"); err != nil {
		return "", err
	}
	archive := filepath.Join(w.work, "operator-double.tar")
	_, err = image.WriteFile(archive, image.Spec{
		Name: deploy.Image, Entrypoint: []string{"/operator"}, User: "1001",
		Files: []image.File{{Path: "/operator", Source: program}},
	})
	if err != nil {
		return "", fmt.Errorf("make the image of the operator double: %w", err)
	}
	return archive, nil
}

// goBuild builds a static program of the module in dir.
func goBuild(ctx context.Context, dir, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s of %s: %w: %s", pkg, filepath.Base(dir), err, output)
	}
	return nil
}
