package probe

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
)

// RenameSession renames a directory of a folder through an exec function, as in a temporary pod.
func RenameSession(
	ctx context.Context, run func(context.Context, []string, io.Reader, io.Writer, io.Writer) error, root, folder string,
	n Renaming,
) error {
	if err := n.validate(); err != nil {
		return err
	}
	s := session{
		exec: run, root: root, folders: []string{folder}, claims: []string{folder}, limits: DefaultLimits(),
		wanted: func(string, int64) bool { return true }, observe: func(Event) {},
	}
	return s.rename(ctx, n)
}

// BuildPod is the pod of one claim.
func BuildPod(claim string, writable bool) *corev1.Pod {
	return podSpec{name: "p", namespace: "ns", operation: "op", claims: []string{claim}, writable: writable}.build()
}
