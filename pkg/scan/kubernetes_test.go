package scan_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const recordedID = "gRzLIu5CSRWfq1tVk4NJJA"

const operation = "scan-20261126-030000-9f3a"

func look(t *testing.T, w *world, targets scan.Targets, opts scan.Options) *scan.Scan {
	t.Helper()
	s, err := scan.Kubernetes(t.Context(), w.client(), targets, at(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(volumes []volume.Volume) []string {
	out := make([]string, len(volumes))
	for i := range volumes {
		out[i] = volumes[i].Name
	}
	return out
}

func TestObjectsAloneAreLookedAt(t *testing.T) {
	t.Parallel()
	w := recording(t)
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
	if len(s.Clusters) != 1 {
		t.Fatalf("one cluster was recorded, got %d", len(s.Clusters))
	}
	c := &s.Clusters[0]
	if c.Name != "my-cluster" || c.Namespace != "kafka" || c.Kafka == nil {
		t.Fatalf("got %s, Kafka resource %v", c.Title(), c.Kafka)
	}
	want := []string{
		"pvc/data-0-my-cluster-broker-0", "pvc/data-1-my-cluster-broker-0", "pvc/data-0-my-cluster-broker-1",
		"pvc/data-1-my-cluster-broker-1", "pvc/data-0-my-cluster-broker-2", "pvc/data-1-my-cluster-broker-2",
		"pvc/data-0-my-cluster-controller-3", "pvc/data-0-my-cluster-controller-4", "pvc/data-0-my-cluster-controller-5",
	}
	if diff := cmp.Diff(want, s.Names()); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, v := range c.Volumes {
		if v.State != volume.Skipped || !v.BoundBothWays() || v.PV.Object == nil || v.Claim.Object == nil {
			t.Errorf("%s: state %s, bound %t: want it skipped, bound, with its whole objects", v.Name, v.State,
				v.BoundBothWays())
		}
	}
	if !c.Kafka.OperatorsKnown || len(c.Kafka.Operators) != 1 {
		t.Errorf("operators %+v, all known %t", c.Kafka.Operators, c.Kafka.OperatorsKnown)
	}
	if c.Incomplete() || s.Code("") != exitcode.OK {
		t.Error("what was not asked for is not missing")
	}
	if len(w.writes) > 0 {
		t.Errorf("a look writes nothing, got %v", w.writes)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		targets scan.Targets
		want    []string
		code    exitcode.Code
	}{
		"a cluster": {
			scan.Targets{Namespace: "kafka", Clusters: []string{"my-cluster"}}, []string{"my-cluster"}, exitcode.OK,
		},
		"a cluster not there": {scan.Targets{Namespace: "kafka", Clusters: []string{"other"}}, nil, exitcode.NotFound},
		"an empty namespace":  {scan.Targets{Namespace: "empty"}, nil, exitcode.NotFound},
		"every namespace":     {scan.Targets{All: true}, []string{"my-cluster"}, exitcode.OK},
		"a claim": {
			scan.Targets{Namespace: "kafka", Claims: []string{"data-1-my-cluster-broker-2"}}, []string{"my-cluster"},
			exitcode.OK,
		},
		"claims of no cluster": {scan.Targets{Namespace: "kafka", Claims: []string{"things"}}, []string{""}, exitcode.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := recording(t)
			w.lists["persistentvolumeclaims"] = append(w.lists["persistentvolumeclaims"], map[string]any{
				"metadata": map[string]any{"name": "things", "namespace": "kafka", "uid": "1"},
			})
			s := look(t, w, tc.targets, scan.Options{Via: scan.Objects})
			var got []string
			for i := range s.Clusters {
				got = append(got, s.Clusters[i].Name)
				if len(tc.targets.Claims) > 0 {
					if diff := cmp.Diff([]string{"pvc/" + tc.targets.Claims[0]}, names(s.Clusters[i].Volumes)); diff != "" {
						t.Errorf("only what was named is shown (-want +got):\n%s", diff)
					}
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if code := s.Code(""); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if tc.targets.Namespace == "kafka" && len(tc.targets.Claims) == 0 && s.OtherClaims != 1 {
				t.Errorf("%d other claims counted, want 1", s.OtherClaims)
			}
		})
	}
}

func TestAClaimThatDoesNotExist(t *testing.T) {
	t.Parallel()
	_, err := scan.Kubernetes(t.Context(), recording(t).client(),
		scan.Targets{Namespace: "kafka", Claims: []string{"gone"}}, at(), scan.Options{Via: scan.Objects})
	var missing *scan.NoClaimError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("got %v, want the claim named", err)
	}
}

// TestClustersThatAreGone is what is left after the resources were deleted: claims, or volumes alone.
func TestClustersThatAreGone(t *testing.T) {
	t.Parallel()
	t.Run("claims are left", func(t *testing.T) {
		t.Parallel()
		w := recording(t).without("kafkas", "kafkanodepools", "strimzipodsets", "configmaps", "pods")
		c := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects}).Clusters[0]
		if c.Name != "my-cluster" || c.Kafka != nil || len(c.Volumes) != 9 {
			t.Errorf("got %s with %d volumes, Kafka %v", c.Title(), len(c.Volumes), c.Kafka)
		}
	})
	t.Run("Released volumes are left", func(t *testing.T) {
		t.Parallel()
		w := recording(t).without("kafkas", "kafkanodepools", "strimzipodsets", "configmaps", "pods")
		w.without("persistentvolumeclaims")
		w.lists["persistentvolumes"] = load(t, "pvs-released.yaml")
		s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
		if len(s.Clusters) != 1 || s.Clusters[0].Name != "my-cluster" || len(s.Clusters[0].Others) != 9 {
			t.Fatalf("nine volumes of my-cluster are Released, got %+v", s.Clusters)
		}
		if got := s.Code(""); got != exitcode.Incomplete {
			t.Errorf("exit code %d, want %d: nothing of the cluster was read", got, exitcode.Incomplete)
		}
		if len(s.Loose) != 9 || s.Loose[0].State != "Released" || s.Loose[0].Claim == "" {
			t.Errorf("what Kubernetes let go: %+v", s.Loose)
		}
	})
	t.Run("volumes are left that name no claim", func(t *testing.T) {
		t.Parallel()
		w := recording(t).without("kafkas", "kafkanodepools", "strimzipodsets", "configmaps", "pods")
		w.without("persistentvolumeclaims", "persistentvolumes")
		var all []string
		for _, pv := range load(t, "pvs-released.yaml") {
			delete(pv["spec"].(map[string]any), "claimRef")
			pv["status"] = map[string]any{"phase": "Available"}
			all = append(all, pv["metadata"].(map[string]any)["name"].(string))
			w.lists["persistentvolumes"] = append(w.lists["persistentvolumes"], pv)
		}
		slices.Sort(all)
		s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
		if diff := cmp.Diff(all, s.Unnamed); diff != "" || len(all) != 12 {
			t.Errorf("volumes without a claimRef (-want +got):\n%s", diff)
		}
		shown := printed(t, s, output.FormatTable, 200)
		if !strings.Contains(shown, "12 volumes name no claim") || !strings.Contains(shown, "--include pv/") {
			t.Errorf("a person is not told of them:\n%s", shown)
		}
	})
}

func TestNamesThatCanBeReadInSeveralWaysAreNotGuessed(t *testing.T) {
	t.Parallel()
	w := recording(t).without("kafkas", "kafkanodepools", "strimzipodsets", "configmaps", "pods")
	claims := w.lists["persistentvolumeclaims"]
	w.lists["persistentvolumeclaims"] = claims[:1]
	set(claims[0], nil, "metadata", "labels")
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
	if len(s.Clusters) != 1 || s.Clusters[0].Name != "" || s.Clusters[0].Volumes[0].SlotProblem == "" {
		t.Errorf("data-0-my-cluster-broker-0 alone may be of my-cluster or of my: got %+v", s.Clusters)
	}
	s = look(t, w, scan.Targets{Namespace: "kafka", Clusters: []string{"my-cluster"}}, scan.Options{Via: scan.Objects})
	if len(s.Clusters) != 1 || len(s.Clusters[0].Volumes) != 1 || s.Clusters[0].Volumes[0].Slot.Pool != "broker" {
		t.Errorf("a name that the person gave settles it: got %+v", s.Clusters)
	}
}

func TestWhatMayNotBeListedIsSaid(t *testing.T) {
	t.Parallel()
	for resource, check := range map[string]func(*scan.Cluster) bool{
		"persistentvolumes": func(c *scan.Cluster) bool { return c.VolumesForbidden },
		"kafkausers":        func(c *scan.Cluster) bool { return len(c.Unlisted) == 1 && !c.Kafka.UsersKnown },
		"strimzipodsets":    func(c *scan.Cluster) bool { return len(c.Unlisted) == 1 && len(c.Kafka.PodSets) == 0 },
	} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			w := recording(t)
			w.forbidden[resource] = true
			s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
			if c := &s.Clusters[0]; !check(c) {
				t.Errorf("not told: %+v", c.Unlisted)
			}
			if got := s.Code(""); got != exitcode.Incomplete {
				t.Errorf("exit code %d, want %d", got, exitcode.Incomplete)
			}
		})
	}
	t.Run("deployments of other namespaces", func(t *testing.T) {
		t.Parallel()
		w := recording(t)
		w.forbidden["/deployments"] = true
		s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
		if k := s.Clusters[0].Kafka; k.OperatorsKnown || len(k.Operators) > 0 {
			t.Errorf("operators %+v, all known %t: there may be one elsewhere", k.Operators, k.OperatorsKnown)
		}
	})
	t.Run("claims", func(t *testing.T) {
		t.Parallel()
		w := recording(t)
		w.forbidden["persistentvolumeclaims"] = true
		_, err := scan.Look(t.Context(), w.client(), "kafka", "my-cluster", scan.Options{Via: scan.Objects})
		if err == nil || !strings.Contains(err.Error(), "persistentvolumeclaims") {
			t.Errorf("without claims there is nothing to look at: got %v", err)
		}
	})
}

func TestTheOperatorsTypesNeedNotBeServed(t *testing.T) {
	t.Parallel()
	w := recording(t)
	w.unserved["kafka.strimzi.io"], w.unserved["core.strimzi.io"] = true, true
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
	if len(s.Clusters) != 1 || s.Clusters[0].Kafka != nil || len(s.Clusters[0].Volumes) != 9 {
		t.Errorf("the claims are there without the operator: got %+v", s.Clusters)
	}
}

// TestPodsThatAdmissionChangesAreNotCreated has the API server answer the dry run with what a policy made of the pod.
func TestPodsThatAdmissionChangesAreNotCreated(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods")
	w.admit = func(pod map[string]any) (int, map[string]any) {
		set(pod, int64(2000), "spec", "securityContext", "fsGroup")
		return http.StatusCreated, pod
	}
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Operation: operation})
	c := &s.Clusters[0]
	if len(c.Changed) != 1 || !strings.Contains(c.Changed[0], "fsGroup") {
		t.Errorf("want what was changed named once, got %q", c.Changed)
	}
	if got := s.Code(""); got != exitcode.Refused {
		t.Errorf("exit code %d, want %d", got, exitcode.Refused)
	}
	if c.Unread() != 9 || len(w.writes) > 0 {
		t.Errorf("%d volumes unread, writes %v: want nine and none", c.Unread(), w.writes)
	}
}

func TestRefusedPodsLeaveVolumesUnreadWithTheReasonGiven(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods")
	w.admit = func(map[string]any) (int, map[string]any) {
		return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden",
			`pods "x" is forbidden: exceeded quota: few-pods, requested: count/pods=1, used: count/pods=1`)
	}
	var mu sync.Mutex
	var kinds []probe.EventKind
	var begun, ended []string
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{
		Via: scan.Pod, Operation: operation,
		Observe: func(ev probe.Event) {
			mu.Lock()
			defer mu.Unlock()
			kinds = append(kinds, ev.Kind)
		},
		UnderWay: func(operation, namespace string) func() {
			begun = append(begun, operation+" "+namespace)
			return func() { ended = append(ended, operation+" "+namespace) }
		},
	})
	c := &s.Clusters[0]
	for _, v := range c.Volumes {
		if v.State != volume.Unread || !strings.Contains(v.Reason, "few-pods") || v.Contents != nil {
			t.Errorf("%s: state %s, reason %q", v.Name, v.State, v.Reason)
		}
	}
	if got := s.Code("error"); got != exitcode.Incomplete {
		t.Errorf("exit code %d, want %d: what could not be judged is no finding", got, exitcode.Incomplete)
	}
	if !slices.Contains(kinds, probe.ClaimUnread) {
		t.Errorf("events %v", kinds)
	}
	want := []string{operation + " kafka"}
	if diff := cmp.Diff(want, begun); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, ended); diff != "" {
		t.Errorf("taken back (-want +got):\n%s", diff)
	}
}

// TestPodsFollowThePoolsTemplate looks at the pods that would be created for two pools of which one has a template.
// What is known of a volume is judged as it was read, and the volume is not mounted for it. It is known by the UID of
// the PersistentVolume, and of a claim that has it.
func TestVolumesThatAreKnownAreNotRead(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods")
	w.admit = func(map[string]any) (int, map[string]any) {
		return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden", "no pod was to be made")
	}
	first := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects}).Clusters[0].Volumes
	known := map[string]*volume.Volume{}
	for i := range first[:8] {
		known[first[i].PV.UID] = &volume.Volume{
			Name: "pv/" + first[i].PV.Name, State: volume.Read, Via: "pod", Contents: &logdir.Contents{}, Topics: i,
			Image: &volume.Image{}, MetadataVersion: 25,
		}
	}
	loosely := object.Map(w.lists["persistentvolumes"][0], "spec", "claimRef")
	loosely["uid"] = "of-another-claim"
	c := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{
		Via: scan.Auto, Operation: operation, Known: known,
	}).Clusters[0]
	for i, v := range c.Volumes {
		switch bound := v.BoundBothWays(); {
		case i < 8 && bound:
			if v.State != volume.Read || v.Contents != known[v.PV.UID].Contents || v.Topics != i || v.Image == nil ||
				v.MetadataVersion != 25 || v.Name != first[i].Name {
				t.Errorf("%s: %+v", v.Name, v)
			}
		case v.State != volume.Unread:
			t.Errorf("%s is %s, and was to be read", v.Name, v.State)
		}
	}
	if got := c.Unread(); got != 2 {
		t.Errorf("%d volumes are unread, want the one that is not known and the one that is not its claim's", got)
	}
}

func TestPodsFollowThePoolsTemplate(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods")
	for _, pool := range w.lists["kafkanodepools"] {
		if object.String(pool, "metadata", "name") != "controller" {
			continue
		}
		set(pool, map[string]any{
			"imagePullSecrets": []any{map[string]any{"name": "pool-secret"}},
			"securityContext": map[string]any{
				"runAsUser": int64(5000), "runAsGroup": int64(5001), "fsGroup": int64(5002),
				"supplementalGroups": []any{int64(5003)},
			},
			"tolerations": []any{map[string]any{"key": "kafka", "operator": "Exists", "effect": "NoSchedule"}},
			"affinity": map[string]any{"nodeAffinity": map[string]any{
				"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{
					map[string]any{"matchExpressions": []any{
						map[string]any{"key": "disk", "operator": "In", "values": []any{"fast"}},
						map[string]any{"key": "spot", "operator": "DoesNotExist"},
					}},
				}},
			}},
		}, "spec", "template", "pod")
	}
	var mu sync.Mutex
	pods := map[bool]map[string]any{}
	w.admit = func(pod map[string]any) (int, map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		claim := object.String(object.Maps(pod, "spec", "volumes")[0], "persistentVolumeClaim", "claimName")
		pods[strings.Contains(claim, "controller")] = pod
		return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden", "admission says no")
	}
	look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Pod, Operation: operation})
	type shape struct {
		User, Group int64
		Groups      []int64
		FSGroup     bool
		Selector    map[string]string
		Tolerates   string
		Secrets     []string
	}
	shapeOf := func(pod map[string]any) shape {
		var s shape
		s.User, _ = object.Int(pod, "spec", "securityContext", "runAsUser")
		s.Group, _ = object.Int(pod, "spec", "securityContext", "runAsGroup")
		for _, g := range object.Int32s(pod, "spec", "securityContext", "supplementalGroups") {
			s.Groups = append(s.Groups, int64(g))
		}
		s.FSGroup = object.Has(object.Map(pod, "spec", "securityContext"), "fsGroup")
		s.Selector = object.StringMap(pod, "spec", "nodeSelector")
		for _, tol := range object.Maps(pod, "spec", "tolerations") {
			s.Tolerates += object.String(tol, "key")
		}
		for _, secret := range object.Maps(pod, "spec", "imagePullSecrets") {
			s.Secrets = append(s.Secrets, object.String(secret, "name"))
		}
		return s
	}
	want := shape{
		User: 5000, Group: 5001, Groups: []int64{5003, 5002}, Selector: map[string]string{"disk": "fast"}, Tolerates: "kafka",
		Secrets: []string{"mirror", "pool-secret"},
	}
	if diff := cmp.Diff(want, shapeOf(pods[true])); diff != "" {
		t.Errorf("the controllers' pod (-want +got):\n%s", diff)
	}
	want = shape{User: 1001, Group: 0, Secrets: []string{"mirror"}}
	if diff := cmp.Diff(want, shapeOf(pods[false])); diff != "" {
		t.Errorf("the brokers' pod (-want +got):\n%s", diff)
	}
}

func TestExecReadsNothingWhereNothingRuns(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods")
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Exec, Operation: operation})
	for _, v := range s.Clusters[0].Volumes {
		if v.State != volume.Unread || !strings.Contains(v.Reason, "--via auto") {
			t.Errorf("%s: state %s, reason %q", v.Name, v.State, v.Reason)
		}
	}
	if s.Operation != "" {
		t.Errorf("no temporary pod was possible, operation %q", s.Operation)
	}
}

func TestTheStatusIsHeldAgainstTheVolumes(t *testing.T) {
	t.Parallel()
	c, err := scan.Look(t.Context(), recording(t).client(), "kafka", "my-cluster", scan.Options{Via: scan.Objects})
	if err != nil {
		t.Fatal(err)
	}
	if id, _, _ := c.Kafka.ChosenClusterID(); id != recordedID {
		t.Errorf("the recorded status says %q, got %q", recordedID, id)
	}
	if len(c.Groups) != 0 || c.ClusterID != "" {
		t.Errorf("no volume was read, and none says an ID: %+v", c.Groups)
	}
}

// TestUnreadVolumesOfAPausedClusterAreNoFinding is what a restore begins with: nothing was ever started, and where the
// volumes cannot be read either, that is all that can be said.
func TestUnreadVolumesOfAPausedClusterAreNoFinding(t *testing.T) {
	t.Parallel()
	w := recording(t).without("pods", "configmaps", "strimzipodsets")
	kafka := w.lists["kafkas"][0]
	set(kafka, "true", "metadata", "annotations", "strimzi.io/pause-reconciliation")
	kafka["status"] = map[string]any{"observedGeneration": int64(1), "conditions": []any{
		map[string]any{"type": "ReconciliationPaused", "status": "True"},
	}}
	for _, pool := range w.lists["kafkanodepools"] {
		delete(pool, "status")
	}
	w.admit = func(map[string]any) (int, map[string]any) {
		return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden", "exceeded quota: few-pods")
	}
	s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Pod, Operation: operation})
	if got := s.Code(finding.Error); got != exitcode.Incomplete {
		t.Errorf("exit code %d, want %d", got, exitcode.Incomplete)
		for _, f := range s.Clusters[0].Findings {
			if !f.Unevaluated && f.Severity.AtLeast(finding.Error) {
				t.Errorf("%s %s: %s", f.Rule, f.Subject, f.Message)
			}
		}
	}
}
