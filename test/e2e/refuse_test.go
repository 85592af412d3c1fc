package e2e_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestScanChangesNothing compares every file of every volume, and every volume and claim object, before and after.
func TestScanChangesNothing(t *testing.T) {
	s := newStory(t, "read-only", quickOperator())
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	before := s.fingerprint()
	result, err := theTool(t).Run(s.ctx, nil, "scan", "kafka/my-cluster", "--namespace", s.Namespace, "--via", "pod")
	s.must(err)
	s.says(result, s.before.ClusterID)
	if diff := cmp.Diff(before, s.fingerprint()); diff != "" {
		t.Errorf("a scan must leave content, owner, mode and time of every file and every object as they were:\n%s", diff)
	}
	pods, err := s.Client.CoreV1().Pods(s.Namespace).List(s.ctx, metav1.ListOptions{})
	s.must(err)
	for i := range pods.Items {
		if pods.Items[i].Labels["name"] != ground.OperatorName {
			t.Errorf("pod %q was left behind", pods.Items[i].Name)
		}
	}
}

// fingerprint is all a scan must not change.
func (s *story) fingerprint() map[string]string {
	s.Helper()
	found := map[string]string{}
	layout, err := s.Layout(s.ctx)
	s.must(err)
	for claim, volume := range layout {
		c, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).Get(s.ctx, claim, metav1.GetOptions{})
		s.must(err)
		v, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, volume, metav1.GetOptions{})
		s.must(err)
		found["claim "+claim], found["volume of "+claim] = c.ResourceVersion, v.ResourceVersion
		dir, err := s.VolumeDir(volume)
		s.must(err)
		s.must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			found[claim+strings.TrimPrefix(path, dir)], err = fileFingerprint(path, entry)
			return err
		}))
	}
	for _, list := range []func(context.Context) (string, error){s.kafkaVersion, s.configMapVersions} {
		text, err := list(s.ctx)
		s.must(err)
		found[text] = ""
	}
	return found
}

func (s *story) kafkaVersion(ctx context.Context) (string, error) {
	kafka, err := s.Get(ctx)
	if apierrors.IsNotFound(err) {
		return "no Kafka", nil
	}
	if err != nil {
		return "", err
	}
	return "Kafka " + kafka.GetResourceVersion(), nil
}

func (s *story) configMapVersions(ctx context.Context) (string, error) {
	list, err := s.Client.CoreV1().ConfigMaps(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	text := "ConfigMaps"
	for i := range list.Items {
		text += " " + list.Items[i].Name + "@" + list.Items[i].ResourceVersion
	}
	return text, nil
}

func fileFingerprint(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d %s", info.Mode(), owner.Uid, owner.Gid, info.ModTime())
	if info.Mode().IsRegular() {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %x", sha256.Sum256(raw))
	}
	return text, nil
}

// TestRestoreRefusesWhatWouldBeLossInSilence plants what a person under pressure may have done to the volumes. The
// real operator takes each of these without a word; see the recordings' hazards.
func TestRestoreRefusesWhatWouldBeLossInSilence(t *testing.T) {
	const (
		b0, b1 = "data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1"
		c3, c4 = "data-0-my-cluster-controller-3", "data-0-my-cluster-controller-4"
	)
	for _, c := range []struct {
		name, namespace string
		from            map[string]string
		rules           []string
	}{
		{
			"the volumes of two brokers are swapped", "swapped",
			map[string]string{b0: b1, b1: b0},
			[]string{"would-be-formatted"},
		},
		{
			"two of three controllers are empty", "empty-controllers",
			map[string]string{c3: "", c4: ""},
			[]string{"would-be-formatted"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t, c.namespace, quickOperator())
			s.planted(ground.Planting{From: c.from})
			s.must(s.Create(s.ctx, true))
			s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
			s.says(s.run(3, "scan", "kafka/my-cluster"), c.rules...)
			s.says(s.run(3, "restore", "kafka/my-cluster", "--yes"), c.rules...)
			s.untouched()
		})
	}
}

// TestRestoreRefusesVolumesThatDisagree gives one of nine volumes another cluster's ID.
func TestRestoreRefusesVolumesThatDisagree(t *testing.T) {
	s := newStory(t, "disagree", quickOperator())
	s.planted(ground.Planting{})
	dir, err := s.VolumeDir(s.before.Layout["data-1-my-cluster-broker-2"])
	s.must(err)
	file := filepath.Join(dir, "kafka-log2", "meta.properties")
	raw, err := os.ReadFile(file)
	s.must(err)
	const other = "nj2gpqbHSfmvw-PQucA3Jg"
	s.must(os.WriteFile(file, []byte(strings.ReplaceAll(string(raw), s.before.ClusterID, other)), 0o644))
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	s.says(s.run(3, "restore", "kafka/my-cluster", "--yes"), "cluster-id-disagreement", other, s.before.ClusterID,
		"data-1-my-cluster-broker-2")
	s.untouched()
}

// untouched requires that a refusal left the resource paused and without an ID, with no Kafka pod started.
func (s *story) untouched() {
	s.Helper()
	s.check(s.Condition(s.ctx, "ReconciliationPaused"))
	id, err := s.ClusterID(s.ctx)
	s.must(err)
	if id != "" {
		s.Errorf("a refused restore must not write a cluster ID, status.clusterId is %q", id)
	}
	pods, err := s.Pods(s.ctx)
	s.must(err)
	if len(pods) > 0 {
		s.Errorf("a refused restore must start nothing, there are %d Kafka pods", len(pods))
	}
	layout, err := s.Layout(s.ctx)
	s.must(err)
	if diff := cmp.Diff(s.before.Layout, layout); diff != "" {
		s.Errorf("claims changed (-before +after):\n%s", diff)
	}
}

// TestScanReadsVolumesInUse reads a running cluster, whose claims only one pod at a time may have.
func TestScanReadsVolumesInUse(t *testing.T) {
	full(t)
	for name, mode := range map[string]corev1.PersistentVolumeAccessMode{
		"in-use-rwo": corev1.ReadWriteOnce, "in-use-rwop": corev1.ReadWriteOncePod,
	} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStory(t, name, quickOperator())
			s.planted(ground.Planting{Modes: []corev1.PersistentVolumeAccessMode{mode}})
			s.must(s.Create(s.ctx, true))
			s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
			s.must(s.Patch(s.ctx, fmt.Sprintf(`{"status":{"clusterId":%q}}`, s.before.ClusterID), "status"))
			s.must(s.Patch(s.ctx, `{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"false"}}}`))
			s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
			s.says(s.run(0, "scan", "kafka/my-cluster"), s.before.ClusterID)
		})
	}
}
