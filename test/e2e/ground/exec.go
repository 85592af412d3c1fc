package ground

import (
	"bytes"
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// Exec runs a command in a Kafka pod and returns its output.
func (k *Kafka) Exec(ctx context.Context, pod string, in io.Reader, command ...string) (string, error) {
	request := k.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(k.Namespace).Name(pod).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: "kafka", Command: command, Stdin: in != nil, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(k.Config, "POST", request.URL())
	if err != nil {
		return "", fmt.Errorf("run %s in pod %q: %w", command[0], pod, err)
	}
	var out, errOut bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: &out, Stderr: &errOut})
	if err != nil {
		return "", fmt.Errorf("run %v in pod %q: %w: %s", command, pod, err, errOut.String())
	}
	return out.String(), nil
}
