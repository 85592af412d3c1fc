package operator

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// Nodes is what runs the Kafka nodes whose pods the pod sets hold.
type Nodes interface {
	// SchedulerName is the scheduler the pods name; empty for the default one.
	SchedulerName() string
	// Run plays the nodes until ctx ends; it returns at once where the cluster itself runs them.
	Run(ctx context.Context)
	// ClusterID is what the running nodes say.
	ClusterID(ctx context.Context, namespace string, pods []string) (string, error)
}

// Pods runs Kafka for real: the cluster's kubelets start the pods.
type Pods struct {
	config *rest.Config
	client kubernetes.Interface
}

// NewPods returns the Nodes that are real pods.
func NewPods(config *rest.Config, client kubernetes.Interface) *Pods { return &Pods{config, client} }

// SchedulerName returns nothing: the default scheduler.
func (*Pods) SchedulerName() string { return "" }

// Run returns at once.
func (*Pods) Run(context.Context) {}

// ClusterID asks a node: Kafka runs only when the ID it is given is the one in its meta.properties, so what that file
// says inside a ready pod is the live cluster's ID. Only the node's own log directory counts: others may lie beside it.
func (p *Pods) ClusterID(ctx context.Context, namespace string, pods []string) (string, error) {
	var last error
	for _, pod := range pods {
		own := dataMount + "/*/kafka-log" + pod[strings.LastIndex(pod, "-")+1:] + "/meta.properties"
		out, err := p.exec(ctx, namespace, pod, "sh", "-c", "grep -hs '^cluster.id=' "+own)
		if err != nil {
			last = err
			continue
		}
		line, _, _ := strings.Cut(out, "\n")
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster.id="); ok {
			return id, nil
		}
		last = fmt.Errorf("pod %q has no cluster.id", pod)
	}
	return "", last
}

func (p *Pods) exec(ctx context.Context, namespace, pod string, command ...string) (string, error) {
	request := p.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: "kafka", Command: command, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(p.config, "POST", request.URL())
	if err != nil {
		return "", fmt.Errorf("run a command in pod %q: %w", pod, err)
	}
	var out, errOut bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut})
	if err != nil {
		return "", fmt.Errorf("run a command in pod %q: %w: %s", pod, err, errOut.String())
	}
	return out.String(), nil
}
