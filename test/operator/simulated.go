package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
)

// SimulatedScheduler is the scheduler simulated pods name: none, so no kubelet ever sees them.
const SimulatedScheduler = "operator-double-simulated"

// Disks finds the directory of this machine that is the volume of a claim.
type Disks func(ctx context.Context, claim *corev1.PersistentVolumeClaim) (dir string, err error)

// unboundError says that a claim has no volume.
type unboundError struct{ claim string }

// Error is the scheduler's word for it.
func (e *unboundError) Error() string {
	return fmt.Sprintf("pod has unbound immediate PersistentVolumeClaims: %s", e.claim)
}

// HostDisks knows volumes of type local and hostPath. path turns the path in the volume into one of this machine.
func HostDisks(client kubernetes.Interface, path func(string) string) Disks {
	return func(ctx context.Context, claim *corev1.PersistentVolumeClaim) (string, error) {
		if claim.Status.Phase != corev1.ClaimBound {
			return "", &unboundError{claim: claim.Name}
		}
		volume, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		switch {
		case volume.Spec.Local != nil:
			return path(volume.Spec.Local.Path), nil
		case volume.Spec.HostPath != nil:
			return path(volume.Spec.HostPath.Path), nil
		}
		return "", fmt.Errorf("volume %q is neither local nor hostPath", volume.Name)
	}
}

// FolderDisks keeps a directory for each claim under root, bound or not.
func FolderDisks(root string) Disks {
	return func(_ context.Context, claim *corev1.PersistentVolumeClaim) (string, error) {
		dir := filepath.Join(root, claim.Namespace+"_"+claim.Name)
		return dir, os.MkdirAll(dir, 0o755)
	}
}

// Simulated plays kubelet and Kafka's start without either: it formats what is not formatted, refuses another cluster's
// or node's volume as kafka-storage does, and writes the pods' statuses. No broker runs, so nothing is in the volumes
// but meta.properties, and the metadata volume is not looked after.
type Simulated struct {
	// Namespace is the one whose pods it plays; empty for all. Beside others on one cluster it must be one's own: two
	// would play the same pod, and one of them write to disks that are about to be removed.
	Namespace string
	Client    kubernetes.Interface
	Disks     Disks
	// StartDelay passes before a pod that may start is ready, BackOff between attempts of one that may not.
	StartDelay, BackOff time.Duration
	// Poll is how often pods are looked at; 100 ms when zero.
	Poll  time.Duration
	Clock clock.Clock

	mu   sync.Mutex
	pods map[string]*simulatedPod
}

// simulatedPod is what is remembered of a pod, by uid.
type simulatedPod struct {
	clusterID string
	due       time.Time
	restarts  int32
	settled   bool
}

// SchedulerName returns SimulatedScheduler.
func (*Simulated) SchedulerName() string { return SimulatedScheduler }

// ClusterID is the ID the ready pods were started with.
func (s *Simulated) ClusterID(ctx context.Context, namespace string, pods []string) (string, error) {
	for _, name := range pods {
		pod, err := s.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			continue
		}
		s.mu.Lock()
		state := s.pods[string(pod.UID)]
		s.mu.Unlock()
		if state != nil && state.settled {
			return state.clusterID, nil
		}
	}
	return "", errors.New("no simulated node runs")
}

// Run plays until ctx ends.
func (s *Simulated) Run(ctx context.Context) {
	s.mu.Lock()
	if s.Clock == nil {
		s.Clock = clock.RealClock{}
	}
	defaultTo(&s.Poll, 100*time.Millisecond)
	s.pods = map[string]*simulatedPod{}
	s.mu.Unlock()
	for ctx.Err() == nil {
		s.tick(ctx)
		select {
		case <-ctx.Done():
		case <-s.Clock.After(s.Poll):
		}
	}
}

func (s *Simulated) tick(ctx context.Context) {
	selector := labels.Set{"strimzi.io/controller": "strimzipodset"}.String()
	list, err := s.Client.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Spec.SchedulerName != SimulatedScheduler || pod.DeletionTimestamp != nil {
			continue
		}
		s.mu.Lock()
		state, known := s.pods[string(pod.UID)]
		if !known {
			state = &simulatedPod{due: s.Clock.Now().Add(s.StartDelay)}
			s.pods[string(pod.UID)] = state
		}
		wait := state.settled || s.Clock.Now().Before(state.due)
		s.mu.Unlock()
		if !wait {
			s.attempt(ctx, pod, state)
		}
	}
}

// attempt is one start of the container.
func (s *Simulated) attempt(ctx context.Context, pod *corev1.Pod, state *simulatedPod) {
	clusterID, err := s.format(ctx, pod)
	if apierrors.IsNotFound(err) {
		return // the ConfigMap or a claim is not there yet: the kubelet would wait too
	}
	var unbound *unboundError
	if errors.As(err, &unbound) {
		s.unschedulable(ctx, pod, unbound)
		return
	}
	s.mu.Lock()
	if err == nil {
		state.clusterID, state.settled = clusterID, true
	} else {
		state.restarts++
		state.due = s.Clock.Now().Add(s.BackOff)
	}
	s.mu.Unlock()
	pod.Status = s.podStatus(pod, state.restarts, err)
	_, _ = s.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
}

// unschedulable is what the scheduler writes of a pod with a claim that has no volume; it looks again by itself.
func (s *Simulated) unschedulable(ctx context.Context, pod *corev1.Pod, why error) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
			return
		}
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: why.Error(), LastTransitionTime: metav1.NewTime(s.Clock.Now()),
	}}}
	_, _ = s.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
}

func (s *Simulated) podStatus(pod *corev1.Pod, restarts int32, crashed error) corev1.PodStatus {
	now := metav1.NewTime(s.Clock.Now())
	ready := corev1.ConditionTrue
	container := corev1.ContainerStatus{
		Name: "kafka", Image: pod.Spec.Containers[0].Image, ImageID: "simulated", RestartCount: restarts,
		Ready: crashed == nil, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}
	if crashed != nil {
		ready = corev1.ConditionFalse
		container.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: "back-off restarting failed container kafka",
		}}
		container.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: crashed.Error(), StartedAt: now, FinishedAt: now,
		}}
	}
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now, ContainerStatuses: []corev1.ContainerStatus{container},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		status.Conditions = append(status.Conditions,
			corev1.PodCondition{Type: kind, Status: ready, LastTransitionTime: now})
	}
	return status
}

// format is "kafka-storage format -t ID -c server.config -g" over the pod's volumes.
func (s *Simulated) format(ctx context.Context, pod *corev1.Pod) (string, error) {
	config, err := s.Client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	properties := parseProperties(config.Data["server.config"])
	clusterID, nodeID := config.Data["cluster.id"], properties["node.id"]
	for logDir := range strings.SplitSeq(properties["log.dirs"], ",") {
		dir, err := s.onDisk(ctx, pod, logDir)
		if err != nil {
			return "", err
		}
		if err := formatDir(dir, logDir, clusterID, nodeID); err != nil {
			return "", err
		}
	}
	return clusterID, nil
}

// onDisk is the host directory of a log directory as the container sees it, /var/lib/kafka/data-0/kafka-log0.
func (s *Simulated) onDisk(ctx context.Context, pod *corev1.Pod, logDir string) (string, error) {
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		below, ok := strings.CutPrefix(logDir, mount.MountPath+"/")
		if !ok {
			continue
		}
		for _, volume := range pod.Spec.Volumes {
			if volume.Name != mount.Name || volume.PersistentVolumeClaim == nil {
				continue
			}
			name := volume.PersistentVolumeClaim.ClaimName
			claim, err := s.Client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return "", err
			}
			dir, err := s.Disks(ctx, claim)
			return filepath.Join(dir, below), err
		}
	}
	return "", fmt.Errorf("log directory %q is on no volume", logDir)
}

func formatDir(dir, shown, clusterID, nodeID string) error {
	file := filepath.Join(dir, "meta.properties")
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		directoryID, err := randomUUID()
		if err != nil {
			return err
		}
		// Not MkdirAll: a volume whose disk is gone cannot be mounted, and must not come into being here.
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		content := fmt.Sprintf("#\n#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%s\nversion=1\n",
			clusterID, directoryID, nodeID)
		return os.WriteFile(file, []byte(content), 0o644)
	}
	if err != nil {
		return err
	}
	found := parseProperties(string(raw))
	if found["cluster.id"] != clusterID {
		//nolint:staticcheck // Kafka's words
		return fmt.Errorf("Invalid cluster.id in: %s/meta.properties. Expected %s, but read %s",
			shown, clusterID, found["cluster.id"])
	}
	if found["node.id"] != nodeID {
		return fmt.Errorf("Stored node id %s doesn't match previous node id %s in %s", //nolint:staticcheck // Kafka's words
			found["node.id"], nodeID, shown)
	}
	return nil
}

func parseProperties(s string) map[string]string {
	found := map[string]string{}
	scanner := bufio.NewScanner(strings.NewReader(s))
	for scanner.Scan() {
		if key, value, ok := strings.Cut(scanner.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			found[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return found
}
