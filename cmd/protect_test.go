package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// standIn runs the program against a stand-in for the API server.
type standIn struct {
	*testing.T
	server *kubetest.Server
	state  string
	// typed is what a person types; a nil one means that there is no terminal.
	typed *string
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	return &standIn{T: t, server: kubetest.New(t), state: t.TempDir()}
}

func (s *standIn) run(args ...string) ran {
	s.Helper()
	streams, in, out, errOut := iostreams.Test()
	if s.typed != nil {
		streams.SetTerminal(200)
		streams.Colour = iostreams.ColourNever
		in.WriteString(*s.typed)
	}
	args = append([]string{"kafkarecover"}, args...)
	f := NewFactory(args, streams, func(name string) string {
		return map[string]string{"XDG_STATE_HOME": s.state, "XDG_CONFIG_HOME": s.state}[name]
	})
	f.Now = func() time.Time { return time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC) }
	f.Kube = func() (*kube.Client, error) { return s.server.Client(s.T, "kafka"), nil }
	code := run(s.Context(), args, f, nil)
	return ran{code: code, out: out.String(), err: errOut.String()}
}

// volume stores a claim of my-cluster and its volume.
func (s *standIn) volume(claim, phase, policy string) {
	s.server.Put(kube.Claims(), kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": kubetest.Object{
			"namespace": "kafka", "name": claim, "uid": "uid-" + claim,
			"labels": kubetest.Object{strimzi.ClusterLabel: "my-cluster"},
		},
		"spec": kubetest.Object{"volumeName": "pv-" + claim}, "status": kubetest.Object{"phase": "Bound"},
	})
	s.server.Put(kube.Volumes(), kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": kubetest.Object{"name": "pv-" + claim, "uid": "uid-pv-" + claim},
		"spec": kubetest.Object{
			"persistentVolumeReclaimPolicy": policy,
			"claimRef":                      kubetest.Object{"namespace": "kafka", "name": claim, "uid": "uid-" + claim},
			"csi":                           kubetest.Object{"driver": "d", "volumeHandle": "vol-1"},
		},
		"status": kubetest.Object{"phase": phase},
	})
}

func (s *standIn) wantPolicy(claim, want string) {
	s.Helper()
	spec, _ := s.server.Get(kube.Volumes(), "", "pv-"+claim)["spec"].(kubetest.Object)
	if got := spec["persistentVolumeReclaimPolicy"]; got != want {
		s.Errorf("the policy of %s: want %s, got %v", claim, want, got)
	}
}

func wantRan(t *testing.T, r ran, code exitcode.Code, says ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code: want %d, got %d\n%s%s", code, r.code, r.out, r.err)
	}
	for _, text := range says {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("want %q in\n%s%s", text, r.out, r.err)
		}
	}
}

func TestProtectAndBack(t *testing.T) {
	t.Parallel()
	const claim = "data-0-my-cluster-broker-0"
	s := newStandIn(t)
	s.volume(claim, "Bound", "Delete")
	wantRan(t, s.run("protect", "kafka/my-cluster"), exitcode.OK, "safe", "Delete → Retain", "vol-1",
		"1 volume: 1 safe",
		filepath.Join(s.state, "kafkarecover", "protect-20261124-031502-"))
	s.wantPolicy(claim, "Retain")
	wantRan(t, s.run("protect", "--cluster", "my-cluster", "-o", "name"), exitcode.OK, "pv/pv-"+claim+"\n")

	wantRan(t, s.run("unprotect", "kafka/my-cluster"), exitcode.Usage, "--yes")
	s.wantPolicy(claim, "Retain")
	s.typed = new("my-cluster\n")
	wantRan(t, s.run("unprotect", "kafka/my-cluster"), exitcode.Error, "not confirmed", s.server.URL(), "risk:")
	s.wantPolicy(claim, "Retain")
	s.typed = new("kafka/my-cluster\n")
	wantRan(t, s.run("unprotect", "kafka/my-cluster"), exitcode.OK, "set")
	s.wantPolicy(claim, "Delete")
	s.typed = nil
	wantRan(t, s.run("unprotect", "kafka/my-cluster", "--to", "Delete", "--yes"), exitcode.OK, "kept")
}

func TestProtectSavesWhereItIsTold(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.volume("data-0-my-cluster-broker-0", "Bound", "Delete")
	dir := filepath.Join(t.TempDir(), "new")
	wantRan(t, s.run("protect", "--save-dir", dir), exitcode.OK, "1 safe")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), "protect-") {
		t.Errorf("want the folder of the run in %s, got %v, %v", dir, entries, err)
	}
}

func TestProtectIsOnlyDoneWhenAllIsSafe(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.volume("data-0-my-cluster-broker-0", "Released", "Delete")
	r := s.run("protect", "-o", "json")
	wantRan(t, r, exitcode.Incomplete, `"state": "in flight"`, "pv/pv-data-0-my-cluster-broker-0 is in flight")
	var result struct{ APIVersion, Kind string }
	if err := json.NewDecoder(bytes.NewBufferString(r.out)).Decode(&result); err != nil || result.Kind != "Protection" {
		t.Errorf("the result on stdout must be JSON of its kind, got %+v, %v", result, err)
	}
	wantRan(t, s.run("unprotect", "--yes", "--to", "Delete"), exitcode.Refused, "deleted at once", "nothing was changed")
	wantRan(t, s.run("protect", "kafka/none"), exitcode.NotFound, `"kafka/none"`)
}

func TestProtectUsage(t *testing.T) {
	t.Parallel()
	for title, args := range map[string][]string{
		"claims are not protected, their volumes are": {"protect", "pvc/x"},
		"no type":                         {"protect", "x"},
		"two clusters":                    {"protect", "kafka/a", "kafka/b"},
		"a cluster and a volume":          {"protect", "kafka/a", "pv/b"},
		"two names of clusters":           {"protect", "--cluster", "a", "kafka/b"},
		"unprotect to what protect sets":  {"unprotect", "--to", "Retain", "--yes"},
		"unprotect to a policy of no use": {"unprotect", "--to", "Recycle", "--yes"},
		"cleanup of what is no operation": {"cleanup", "app=x"},
		"cleanup of two":                  {"cleanup", "scan-20261124-031502-9f3a", "scan-20261124-031502-9f3b"},
		"cleanup without time":            {"cleanup", "--timeout", "0s"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			wantRan(t, s.run(args...), exitcode.Usage, "--help")
			if n := len(s.server.Requests()); n > 0 {
				t.Errorf("a usage error makes no request, made %d", n)
			}
		})
	}
}

func TestProtectCompletesTargets(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.volume("data-0-my-cluster-broker-0", "Bound", "Delete")
	s.server.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": kubetest.Object{"namespace": "kafka", "name": "my-cluster"},
	})
	r := s.run("__complete", "protect", "")
	wantRan(t, r, exitcode.OK, "kafka/my-cluster\n", "pv/pv-data-0-my-cluster-broker-0\n")
	wantRan(t, s.run("__complete", "protect", "--cluster", ""), exitcode.OK, "my-cluster\n")
	wantRan(t, s.run("__complete", "unprotect", "--to", ""), exitcode.OK, "Delete\n")
}

// temporaryPod stores a pod as a scan leaves it when it is killed.
func (s *standIn) temporaryPod(operation, name, phase string) {
	s.server.Put(kube.Pods(), kubetest.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": kubetest.Object{
			"namespace": "kafka", "name": name, "uid": "uid-" + name, "creationTimestamp": "2026-11-24T03:00:00Z",
			"labels": kubetest.Object{
				"app.kubernetes.io/managed-by": "kafkarecover", "kafkarecover.io/operation": operation,
			},
		},
		"spec": kubetest.Object{"activeDeadlineSeconds": 3600}, "status": kubetest.Object{"phase": phase},
	})
}

func TestCleanup(t *testing.T) {
	t.Parallel()
	const operation = "scan-20261124-030000-9f3a"
	s := newStandIn(t)
	wantRan(t, s.run("cleanup"), exitcode.OK, "nothing is left")
	wantRan(t, s.run("cleanup", operation), exitcode.NotFound, operation, "-A looks in all")
	s.temporaryPod(operation, "one", "Running")
	s.temporaryPod(operation, "two", "Failed")
	s.temporaryPod("scan-20261124-030000-0000", "three", "Running")
	wantRan(t, s.run("cleanup", "-A"), exitcode.OK, "may be alive", "cleanup "+operation+" -n kafka")
	wantRan(t, s.run("__complete", "cleanup", ""), exitcode.OK, operation+"\n")
	wantRan(t, s.run("cleanup", operation, "-o", "name"), exitcode.OK, "pod/one\npod/two\n")
	if s.server.Get(kube.Pods(), "kafka", "one") != nil || s.server.Get(kube.Pods(), "kafka", "three") == nil {
		t.Error("the pods of this operation go, and no others")
	}
	s.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource == "pods" {
			return kubetest.Forbidden(r)
		}
		return nil
	})
	wantRan(t, s.run("cleanup"), exitcode.Incomplete, "forbidden")
}
