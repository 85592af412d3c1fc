package recovery_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// watched is a cluster whose resources are gone, and how often a restore of it reads the volumes.
type watched struct {
	*lost
	readings, known int
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	return &watched{lost: newLost(t, unpackDisks(t), true)}
}

// restore restores it; meanwhile is what somebody else does after the volumes were read.
func (w *watched) restore(t *testing.T, meanwhile func(), confirmed bool) (*recovery.Result, string) {
	t.Helper()
	req, deps := w.request(), w.deps()
	req.Declared = w.manifests
	deps.Look = func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
		switch {
		case req.Depth != recovery.Volumes:
		case w.kafkaThere() && !w.kafka().PauseAnnotated: // what it is verified by
		case req.Known != nil:
			w.known++
			if len(req.Known) != len(w.disks.read) || req.Visit != nil {
				t.Errorf("%d of %d volumes are known", len(req.Known), len(w.disks.read))
			}
		default:
			w.readings++
		}
		return w.look(ctx, req)
	}
	deps.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
		if meanwhile != nil {
			meanwhile()
		}
		return confirmed, nil
	}
	result, err := recovery.Restore(t.Context(), req, deps)
	if err != nil {
		t.Fatalf("%v: %s", err, refusal(result))
	}
	if _, err := os.Lstat(filepath.Join(result.Folder, "copies-as-read")); !os.IsNotExist(err) {
		t.Errorf("what was copied at first is left: %v", err)
	}
	for _, s := range result.Plan.Steps {
		if s.ID == recovery.StepReread {
			return result, s.Note
		}
	}
	t.Fatal("there is no such step")
	return nil, ""
}

// mounts makes a pod that has a claim, for a moment.
func (w *watched) mounts(claim string, readOnly bool) {
	w.server.Put(kube.Pods(), kubetest.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
			"namespace": standNamespace, "name": "debug", "uid": "uid-debug",
		},
		"spec": kubetest.Object{"volumes": []any{kubetest.Object{
			"name": "v", "persistentVolumeClaim": kubetest.Object{"claimName": claim, "readOnly": readOnly},
		}}},
	})
	w.server.Remove(kube.Pods(), standNamespace, "debug")
}

// tied ties a volume to another claim, and back.
func (w *watched) tied(claim string) {
	for _, uid := range []string{"uid-of-another", "uid-" + claim} {
		w.change(kube.Volumes(), "pv-"+claim, func(o kubetest.Object) {
			obj.Map(o, "spec", "claimRef")["uid"] = uid
		})
	}
}

// Volumes that nothing else had since they were read are not mounted once more. Whatever else may have written on one
// has all of them read again.
func TestVolumesAreReadAgainWhereSomethingElseHadOne(t *testing.T) {
	t.Parallel()
	claim := claimOf("0-broker-0")
	for name, tc := range map[string]struct {
		meanwhile func(*watched)
		doubt     string
	}{
		"nothing":                    {nil, ""},
		"a pod that could only read": {func(w *watched) { w.mounts(claim, true) }, ""},
		"a pod of another claim":     {func(w *watched) { w.mounts("other", false) }, ""},
		"a pod that could write":     {func(w *watched) { w.mounts(claim, false) }, "pod/debug has pvc/" + claim},
		"a volume of another claim":  {func(w *watched) { w.tied(claim) }, "pv/pv-" + claim + " was tied to the claim"},
		"a connection that breaks":   {func(w *watched) { w.server.CutOff() }, "the watch was interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t)
			result, note := w.restore(t, func() {
				if tc.meanwhile != nil {
					tc.meanwhile(w)
				}
			}, true)
			if result.Outcome != recovery.OutcomeRestored {
				t.Fatalf("%s: %s", result.Outcome, result.Reason)
			}
			want := 1
			if tc.doubt != "" {
				want = 2
			}
			if w.readings != want || w.known != 1 {
				t.Errorf("the volumes were read %d times, want %d, and judged as they were read %d times, want 1", w.readings,
					want, w.known)
			}
			if strings.Contains(note, "nothing else had them") != (tc.doubt == "") || !strings.Contains(note, tc.doubt) {
				t.Errorf("it says %q", note)
			}
			wantCopies(t, result.Folder, w.disks)
		})
	}
}

// wantCopies requires that the metadata of every volume that has some was copied under the name of its claim.
func wantCopies(t *testing.T, folder string, d *disks) {
	t.Helper()
	root := filepath.Join(folder, "copies")
	sums, err := os.Open(filepath.Join(root, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sums.Close() }()
	copied := map[string]bool{}
	for lines := bufio.NewScanner(sums); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		was, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if is := sha256.Sum256(got); string(got) != string(was) || hex.EncodeToString(is[:]) != sum {
			t.Errorf("%s is not what is on the volume", name)
		}
		claim, _, _ := strings.Cut(name, "/")
		copied[claim] = true
	}
	for name := range d.read {
		has, _ := filepath.Glob(filepath.Join(d.dir, name, "*", "__cluster_metadata-0"))
		if copied[name] != (len(has) > 0) {
			t.Errorf("%s: copied %t, metadata %q", name, copied[name], has)
		}
	}
}

func TestCopiesOfAReadingAreNotKeptWhereThePlanIsDeclined(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	result, _ := w.restore(t, nil, false)
	if result.Outcome != recovery.OutcomeDeclined {
		t.Fatalf("%s: %s", result.Outcome, result.Reason)
	}
	if _, err := os.Lstat(filepath.Join(result.Folder, "copies")); !os.IsNotExist(err) {
		t.Errorf("copies are left: %v", err)
	}
}
