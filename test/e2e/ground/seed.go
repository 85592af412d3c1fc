package ground

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Seed is a copy of a stopped cluster's volumes, taken on this machine, from which the same cluster can be planted in
// any number of namespaces. What is in the volumes was written by real Kafka.
type Seed struct {
	Dir string
	// Claims are the names of the claims and of the directories in Dir.
	Claims []string
	// ClusterID and Content are what the cluster was before it was lost.
	ClusterID string
	Content   Content
}

// ErrNoDisks says that the directories behind volumes cannot be reached.
var ErrNoDisks = errors.New("the volumes of this cluster are not directories of this machine")

// Take copies the volumes of a cluster none of whose pods runs.
func (k *Kafka) Take(ctx context.Context, clusterID string, content Content) (*Seed, error) {
	layout, err := k.Layout(ctx)
	if err != nil {
		return nil, err
	}
	seed := &Seed{
		Dir: filepath.Join(k.work, "seed-"+k.Namespace), ClusterID: clusterID, Content: content,
		Claims: slices.Sorted(maps.Keys(layout)),
	}
	if err := os.MkdirAll(seed.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("take a seed: %w", err)
	}
	for _, claim := range seed.Claims {
		from, err := k.VolumeDir(layout[claim])
		if err != nil {
			return nil, fmt.Errorf("take a seed: %w", err)
		}
		if err := copyTree(ctx, from, filepath.Join(seed.Dir, claim)); err != nil {
			return nil, err
		}
	}
	return seed, nil
}

// VolumeDir is the directory of this machine that is a volume's.
func (w *World) VolumeDir(volume string) (string, error) {
	if w.Sandbox == nil || w.StorageClass != "" {
		return "", ErrNoDisks
	}
	return filepath.Join(w.Sandbox.PVRoot(), volume), nil
}

// copyTree copies with owners, modes and times; index files are sparse and stay so.
func copyTree(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "cp", "--archive", "--sparse=always", "--no-target-directory", from, to)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copy %q: %w: %s", from, err, out)
	}
	return nil
}

// Planting says what differs from the cluster the seed was taken of.
type Planting struct {
	// From plants another claim's data, or nothing for "": by claim name.
	From map[string]string
	// Modes are the claims' access modes; ReadWriteOnce when empty.
	Modes []corev1.PersistentVolumeAccessMode
}

// Plant makes volumes with the seed's data and claims bound to them, as they are after the resources of a cluster
// were deleted and its claims kept.
func (k *Kafka) Plant(ctx context.Context, seed *Seed, p Planting) error {
	if len(p.Modes) == 0 {
		p.Modes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
	volumes, err := k.makeVolumes(ctx, len(seed.Claims), p.Modes)
	if err != nil {
		return err
	}
	for i, claim := range seed.Claims {
		source := claim
		if other, ok := p.From[claim]; ok {
			source = other
		}
		if source != "" {
			if err := copyTree(ctx, filepath.Join(seed.Dir, source), volumes[i].Path); err != nil {
				return err
			}
		}
		if err := k.makeClaim(ctx, claim, volumes[i].Name, p.Modes); err != nil {
			return err
		}
	}
	return Wait(ctx, time.Minute, "the claims are bound", func(ctx context.Context) error {
		list, err := k.Client.CoreV1().PersistentVolumeClaims(k.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if list.Items[i].Status.Phase != corev1.ClaimBound {
				return fmt.Errorf("claim %q is %s", list.Items[i].Name, list.Items[i].Status.Phase)
			}
		}
		return nil
	})
}

// makeClaim makes a claim as Strimzi leaves it behind.
func (k *Kafka) makeClaim(
	ctx context.Context, name, volume string, modes []corev1.PersistentVolumeAccessMode,
) error {
	class := "local"
	pool := "broker"
	if strings.Contains(name, "-controller-") {
		pool = "controller"
	}
	_, err := k.Client.CoreV1().PersistentVolumeClaims(k.Namespace).Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{"strimzi.io/delete-claim": "false"},
			Labels: map[string]string{
				"app.kubernetes.io/instance": k.Name, "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
				"app.kubernetes.io/name": "kafka", "app.kubernetes.io/part-of": "strimzi-" + k.Name,
				"strimzi.io/cluster": k.Name, "strimzi.io/component-type": "kafka", "strimzi.io/kind": "Kafka",
				"strimzi.io/name": k.Name + "-kafka", "strimzi.io/pool-name": pool,
			},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: modes, StorageClassName: &class, VolumeName: volume,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make claim %q: %w", name, err)
	}
	return nil
}
