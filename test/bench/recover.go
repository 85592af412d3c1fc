package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	e2e "github.com/kafkarecover/kafkarecover/test/e2e/ground"
	"github.com/kafkarecover/kafkarecover/test/kafka/image"
)

// recovered is a cluster of which nothing but its volumes is left, over and over: nine volumes, read and judged, from
// claims that are missing to the resource un-paused. The operator is the double.
type recovered struct {
	*claims
	kafka *e2e.Kafka
	// manifests is the file of the resources as they are in git, paused that of the same, paused.
	manifests, paused string
	// volumes are the volumes' names by claim.
	volumes map[string]string
	id      string
}

func (g *ground) recover(ctx context.Context, world *e2e.World) (*recovered, error) {
	r := &recovered{claims: &claims{ground: g, world: world, namespace: namespace + "-recover"}}
	if err := r.plant(ctx, 9); err != nil {
		return nil, err
	}
	r.kafka = world.NewKafka(r.namespace, cluster)
	err := world.InstallOperator(ctx, r.namespace, e2e.Operator{Timeout: time.Minute, Interval: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	if r.id, err = g.clusterID(); err != nil {
		return nil, err
	}
	if r.volumes, err = r.kafka.Layout(ctx); err != nil {
		return nil, err
	}
	for paused, file := range map[bool]*string{false: &r.manifests, true: &r.paused} {
		*file = filepath.Join(g.work, fmt.Sprintf("cluster-%t.yaml", paused))
		if err := os.WriteFile(*file, []byte(r.kafka.Manifests(paused)), 0o600); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// clusterID is what is on the volumes.
func (g *ground) clusterID() (string, error) {
	files, err := filepath.Glob(filepath.Join(g.volumes, "*", "kafka-log*", "meta.properties"))
	if err != nil || len(files) == 0 {
		return "", errors.Join(errors.New("find a meta.properties"), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return "", err
	}
	_, id, _ := strings.Cut(string(text), "cluster.id=")
	id, _, _ = strings.Cut(id, "\n")
	return id, nil
}

func (r *recovered) comparisons() []comparison {
	args := []string{
		"env", "XDG_STATE_HOME=" + filepath.Join(r.work, "state"), r.tool, "restore", "kafka/" + cluster, "-n", r.namespace,
		"-f", r.manifests, "--yes", "--wait=false", "--settle", "0s", "--image", image.Name(r.world.KafkaVersion),
		"--kubeconfig", r.world.KubeconfigPath,
	}
	for _, claim := range r.names { // the volumes were recorded with a topic that was being deleted
		args = append(args, "--accept", "pending-deletion=pvc/"+claim)
	}
	restore := untilUnpaused(args)
	for _, volume := range r.volumes {
		args = append(args, "--include", "pv/"+volume)
	}
	including := untilUnpaused(args)
	ours := "kafkarecover restore kafka/my-cluster -f FILE --wait=false --settle 0s, nine volumes read, until un-paused"
	return []comparison{
		{
			name: "recovery from nine volumes, beside its floor", ours: ours, runOurs: r.fresh(restore),
			theirs: "nothing but: nine claims bound by UID, one pod that prints nine meta.properties, and the resource " +
				"created and seen to be paused",
			runTheirs: r.fresh(r.floor), goal: goal{wall: 1.5, bytes: 60 << 20},
		},
		{
			name:    "recovery from nine volumes that name no claim, beside its floor",
			ours:    "kafkarecover restore kafka/my-cluster -f FILE --include pv/NAME …, placed by what is on them",
			runOurs: r.fresh(r.unnamed(including)), theirs: "the same floor, from volumes that name no claim",
			runTheirs: r.fresh(r.unnamed(r.floor)), goal: goal{wall: 1.5, bytes: 60 << 20},
		},
		{
			name: "recovery from nine volumes, beside the documented procedure", ours: ours, runOurs: r.fresh(restore),
			theirs:    "the documented commands of kubectl at machine speed, with one volume read",
			runTheirs: r.fresh(r.documented), goal: goal{wall: 1},
		},
	}
}

// untilUnpaused is the program, measured until it says that the resource is un-paused: what it clears away after that
// waits for a CPU beside six starting brokers.
func untilUnpaused(args []string) act {
	return func(ctx context.Context) (sample, error) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		said, err := cmd.StderrPipe()
		if err != nil {
			return sample{}, err
		}
		started := time.Now()
		if err := cmd.Start(); err != nil {
			return sample{}, err
		}
		var s sample
		var all strings.Builder
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if strings.Contains(lines.Text(), "✓ un-pause") {
				s.wall = time.Since(started)
			}
			all.WriteString(lines.Text() + "\n")
		}
		const unverified = 5 // as --wait=false ends
		err = cmd.Wait()
		if cmd.ProcessState.ExitCode() != unverified || s.wall == 0 {
			return s, fmt.Errorf("un-pause: %w: %s", err, all.String())
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.memory = usage.Maxrss * 1024
		}
		return s, nil
	}
}

// fresh takes everything away but the volumes, which is not measured, and acts.
func (r *recovered) fresh(a act) act {
	return func(ctx context.Context) (sample, error) {
		if err := r.lose(ctx); err != nil {
			return sample{}, fmt.Errorf("lose the cluster: %w", err)
		}
		return a(ctx)
	}
}

// unnamed takes the claimRefs of the volumes away, which is not measured, and acts.
func (r *recovered) unnamed(a act) act {
	return func(ctx context.Context) (sample, error) {
		volumes := r.world.Client.CoreV1().PersistentVolumes()
		for _, name := range r.volumes {
			free := []byte(`{"spec":{"claimRef":null}}`)
			if _, err := volumes.Patch(ctx, name, types.MergePatchType, free, metav1.PatchOptions{}); err != nil {
				return sample{}, err
			}
		}
		if err := r.wantPhase(ctx, corev1.VolumeAvailable); err != nil {
			return sample{}, fmt.Errorf("take the claimRefs away: %w", err)
		}
		return a(ctx)
	}
}

// wantPhase waits until the operator is there and every volume has a phase.
func (r *recovered) wantPhase(ctx context.Context, phase corev1.PersistentVolumePhase) error {
	what := fmt.Sprintf("the volumes are %s, the operator is back", phase)
	return e2e.Wait(ctx, 2*time.Minute, what, func(ctx context.Context) error {
		if err := r.operatorReady(ctx); err != nil {
			return err
		}
		for _, name := range r.volumes {
			pv, err := r.world.Client.CoreV1().PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if pv.Status.Phase != phase {
				return fmt.Errorf("pv %q is %s", name, pv.Status.Phase)
			}
		}
		return nil
	})
}

func (r *recovered) lose(ctx context.Context) error {
	if err := r.kafka.Delete(ctx); err != nil {
		return err
	}
	// A reconcile of the cluster before would be in flight until its timeout, for whoever comes next.
	if err := r.world.RestartOperator(ctx, r.namespace); err != nil {
		return err
	}
	claims := r.world.Client.CoreV1().PersistentVolumeClaims(r.namespace)
	if err := claims.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	return r.wantPhase(ctx, corev1.VolumeReleased)
}

// operatorReady tells whether there is one pod of the operator, and it is ready.
func (r *recovered) operatorReady(ctx context.Context) error {
	pods, err := r.world.Client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "name=" + e2e.OperatorName,
	})
	if err != nil {
		return err
	}
	if len(pods.Items) != 1 {
		return errNotYet
	}
	for _, c := range pods.Items[0].Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return errNotYet
}

// floor is what no recovery can do without, done as fast as the API server takes it. Nothing is judged, locked,
// journaled, read a second time or written into a status.
func (r *recovered) floor(ctx context.Context) (sample, error) {
	started := time.Now()
	group, bounded := errgroup.WithContext(ctx)
	for claim, volume := range r.volumes {
		group.Go(func() error { return r.bind(bounded, claim, volume) })
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	if _, err := r.pod("floor", r.names)(ctx); err != nil {
		return sample{}, err
	}
	if err := r.kafka.Create(ctx, true); err != nil {
		return sample{}, err
	}
	err := r.soon(ctx, func() error { return r.kafka.Condition(ctx, "ReconciliationPaused") })
	return sample{wall: time.Since(started)}, err
}

// bind makes a claim and ties the volume to it by UID, and then has the volume controller look at the claim.
func (r *recovered) bind(ctx context.Context, name, volume string) error {
	claims, class := r.world.Client.CoreV1().PersistentVolumeClaims(r.namespace), "local"
	claim, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: &class, VolumeName: volume, Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	tie := fmt.Sprintf(`{"spec":{"claimRef":{"namespace":%q,"name":%q,"uid":%q,"resourceVersion":null}}}`, r.namespace,
		name, claim.UID)
	volumes := r.world.Client.CoreV1().PersistentVolumes()
	if _, err := volumes.Patch(ctx, volume, types.MergePatchType, []byte(tie), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := r.soon(ctx, func() error {
		pv, err := volumes.Get(ctx, volume, metav1.GetOptions{})
		if err == nil && pv.Status.Phase != corev1.VolumeBound {
			err = errNotYet
		}
		return err
	}); err != nil {
		return err
	}
	nudge := []byte(`{"metadata":{"annotations":{"bench":"nudged"}}}`)
	if _, err := claims.Patch(ctx, name, types.MergePatchType, nudge, metav1.PatchOptions{}); err != nil {
		return err
	}
	return r.soon(ctx, func() error {
		claim, err := claims.Get(ctx, name, metav1.GetOptions{})
		if err == nil && claim.Status.Phase != corev1.ClaimBound {
			err = errNotYet
		}
		return err
	})
}

var errNotYet = errors.New("not yet")

// soon looks ten times a second.
func (r *recovered) soon(ctx context.Context, holds func() error) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := holds()
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// documented are Strimzi's steps as commands, one after another: the volumes' claimRef removed, the claims applied, one
// volume read, the resource created paused, the cluster ID written into its status, un-paused.
func (r *recovered) documented(ctx context.Context) (sample, error) {
	kubectl := func(args ...string) error {
		all := append([]string{r.kubectl}, args...)
		_, err := command(nil, append(all, "--kubeconfig", r.world.KubeconfigPath, "--namespace", r.namespace)...)(ctx)
		return err
	}
	claims := filepath.Join(r.work, "claims.yaml")
	if err := os.WriteFile(claims, []byte(r.claimManifests()), 0o600); err != nil {
		return sample{}, err
	}
	started := time.Now()
	var steps [][]string
	for _, volume := range r.volumes {
		steps = append(steps, []string{
			"patch", "pv", volume, "--type=json", "--patch", `[{"op":"remove","path":"/spec/claimRef"}]`,
		})
	}
	steps = append(steps, []string{"apply", "-f", claims},
		[]string{"wait", "--for=jsonpath={.status.phase}=Bound", "pvc", "--all", "--timeout=2m"})
	for _, s := range steps {
		if err := kubectl(s...); err != nil {
			return sample{}, err
		}
	}
	if _, err := r.pod("documented", r.names[:1])(ctx); err != nil {
		return sample{}, err
	}
	for _, s := range [][]string{
		{"apply", "-f", r.paused},
		{
			// kubectl takes no condition for true of which the status says an earlier generation, as that of a pause does.
			"wait", `--for=jsonpath={.status.conditions[?(@.type=="ReconciliationPaused")].status}=True`, "kafka/" + cluster,
			"--timeout=2m",
		},
		{
			"patch", "kafka", cluster, "--subresource=status", "--type=merge", "--patch",
			fmt.Sprintf(`{"status":{"clusterId":%q}}`, r.id),
		},
		{"annotate", "--overwrite", "kafka", cluster, "strimzi.io/pause-reconciliation=false"},
	} {
		if err := kubectl(s...); err != nil {
			return sample{}, err
		}
	}
	return sample{wall: time.Since(started)}, nil
}

func (r *recovered) claimManifests() string {
	text := ""
	for claim, volume := range r.volumes {
		text += fmt.Sprintf(`---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: local
  volumeName: %s
  resources: {requests: {storage: 1Gi}}
`, claim, volume)
	}
	return text
}
