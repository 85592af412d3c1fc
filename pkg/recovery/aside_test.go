package recovery_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const (
	brokerClaim     = "data-1-my-cluster-broker-0"
	controllerClaim = "data-0-my-cluster-controller-5"
)

// formatted makes a log directory as formatting and a start that found no controller leave it.
func formatted(t *testing.T, disks, claim string, node int, id string) {
	t.Helper()
	for name, content := range map[string]string{
		"meta.properties": fmt.Sprintf("#\n#Tue Nov 24 03:15:02 UTC 2026\ncluster.id=%s\n"+
			"directory.id=9YKGIWJ8SzmiZ4Nx7sMzZA\nnode.id=%d\nversion=1\n", id, node),
		".lock": "", "recovery-point-offset-checkpoint": "0\n0\n", "replication-offset-checkpoint": "0\n0\n",
		"__cluster_metadata-0/00000000000000000000.log":   "",
		"__cluster_metadata-0/00000000000000000000.index": strings.Repeat("\x00", 4096),
		"__cluster_metadata-0/partition.metadata":         "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
	} {
		writeFile(t, filepath.Join(disks, claim, strimzi.LogDirName(int32(node)), name), content)
	}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = string(content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// setAside names directories, as the command line does.
func setAside(t *testing.T, refs ...string) func(*recovery.Request, *recovery.Deps) {
	t.Helper()
	return func(r *recovery.Request, _ *recovery.Deps) {
		for _, text := range refs {
			ref, err := recovery.ParseLogDirRef(text)
			if err != nil {
				t.Fatal(err)
			}
			r.SetAside = append(r.SetAside, ref)
		}
	}
}

func TestLogDirectoriesAreNamedByClaimAndName(t *testing.T) {
	t.Parallel()
	want := recovery.LogDirRef{Claim: "data-0-a", Directory: "kafka-log3"}
	for _, text := range []string{"pvc/data-0-a:kafka-log3", "data-0-a:kafka-log3", want.String()} {
		if got, err := recovery.ParseLogDirRef(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "pvc/", "data-0-a", "pvc/data-0-a:", ":kafka-log3", "pvc/data-0-a:.", "pvc/data-0-a:..", "pvc/data-0-a:a/b",
		"pvc/data-0-a:../kafka-log3", "pv/data-0-a:kafka-log3", "data-0-a:/kafka-log3", "a/b:kafka-log3",
	} {
		if got, err := recovery.ParseLogDirRef(text); err == nil {
			t.Errorf("%q names nothing at the root of a claim's volume, got %+v", text, got)
		}
	}
}

func TestAFreshDirectoryIsRenamedAfterItsPodsAreStopped(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { formatted(t, disks, brokerClaim, 7, randomID) })
	g.operate()
	refused, err := g.restore(nil)
	if err != nil || refused.Outcome != recovery.OutcomeRefused || len(refused.Refusals) != 1 ||
		!strings.Contains(refused.Refusals[0].Remedy, "--set-aside pvc/"+brokerClaim+":kafka-log7") {
		t.Fatalf("%v %s %+v", err, refused.Outcome, refused.Refusals)
	}
	was := filesBelow(t, filepath.Join(g.disks, brokerClaim, "kafka-log7"))
	var sent []recovery.RenameRequest
	g.renames = func(req recovery.RenameRequest) error {
		sent = append(sent, req)
		if g.server.Get(strimzi.PodSetGVR("v1"), ns, "my-cluster-broker") != nil {
			t.Error("the pod set must be gone, or its controller makes the pods again")
		}
		if g.server.Get(kube.Pods(), ns, "my-cluster-broker-0") != nil {
			t.Error("a pod that has the claim runs beside")
		}
		if g.server.Get(strimzi.PodSetGVR("v1"), ns, "my-cluster-controller") == nil {
			t.Error("pods of a pool whose claims are not written to were stopped")
		}
		root := filepath.Join(g.disks, req.Claim)
		if err := req.Check(os.DirFS(root), req.From); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(root, req.From), filepath.Join(root, req.To)); err != nil {
			return err
		}
		return req.Check(os.DirFS(root), req.To)
	}
	result, err := g.restore(setAside(t, "pvc/"+brokerClaim+":kafka-log7"))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %s %+v", err, result.Outcome, result.Reason, result.Refusals)
	}
	to := "set-aside-" + result.Operation + "-kafka-log7"
	if len(sent) != 1 || sent[0].Claim != brokerClaim || sent[0].From != "kafka-log7" || sent[0].To != to {
		t.Errorf("asked for %+v", sent)
	}
	if now := filesBelow(t, filepath.Join(g.disks, brokerClaim, to)); !maps.Equal(was, now) {
		t.Errorf("%v became %v", was, now)
	}
	wantRenameJournaled(t, result, to)
}

// A cluster that is Ready may have such a directory beside its data. It needs nothing else, and is paused for that.
func TestAFreshDirectoryBesideARunningNodeIsRenamed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	accepted := g.accepted() // once its pods are stopped, it is judged as it was before they ran
	if result, err := g.restore(nil); err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	formatted(t, g.disks, brokerClaim, 7, randomID)
	renames := 0
	g.renames = func(req recovery.RenameRequest) error {
		renames++
		root := filepath.Join(g.disks, req.Claim)
		return os.Rename(filepath.Join(root, req.From), filepath.Join(root, req.To))
	}
	result, err := g.restore(setAside(t, brokerClaim+":kafka-log8"))
	var aside *recovery.AsideError
	if !errors.As(err, &aside) || !strings.Contains(err.Error(), "no such directory") || renames != 0 {
		t.Errorf("a name that is wrong must not be taken for one that is done: %v %s", err, result.Outcome)
	}
	for tries, want := range []recovery.Outcome{recovery.OutcomeRestored, recovery.OutcomeAlreadyRight} {
		result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) {
			setAside(t, brokerClaim+":kafka-log7")(r, d)
			r.Accept = accepted
		})
		if err != nil || result.Outcome != want || renames != 1 {
			t.Errorf("%d: %v %s %s, renamed %d times", tries, err, result.Outcome, result.Reason, renames)
		}
	}
}

// wantRenameJournaled requires both changes of the step to have been announced and ended.
func wantRenameJournaled(t *testing.T, result *recovery.Result, to string) {
	t.Helper()
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range entries {
		if e.Step != string(recovery.StepSetAside) {
			continue
		}
		for _, c := range e.Changes {
			told = append(told, fmt.Sprintf("%s %s %s", e.Phase, c.Verb, c.Object.Kind))
			if c.Verb == recovery.VerbRename && e.Phase == recovery.PhaseIntent &&
				(c.Before["directory"] != "kafka-log7" || !strings.Contains(string(c.Patch), to)) {
				t.Errorf("who goes on must know both names: %+v", c)
			}
		}
	}
	want := []string{
		"intent delete StrimziPodSet", "done delete StrimziPodSet",
		"intent rename PersistentVolumeClaim", "done rename PersistentVolumeClaim",
	}
	if !slices.Equal(told, want) {
		t.Errorf("the journal tells %q, want %q", told, want)
	}
}

// Whatever may be somebody's is left alone, whoever names it.
func TestWhatIsNotFreshlyFormattedWithAnotherIDIsNeverRenamed(t *testing.T) {
	t.Parallel()
	const dir = brokerClaim + "/kafka-log7/"
	for name, c := range map[string]struct {
		change    func(t *testing.T, disks string)
		ref, says string
	}{
		"the data itself": {func(*testing.T, string) {}, brokerClaim + ":kafka-log0", "neither formatting nor a first start"},
		"formatted with the right ID": {func(t *testing.T, disks string) {
			formatted(t, disks, brokerClaim, 8, theID)
		}, brokerClaim + ":kafka-log8", "which is the one to be restored"},
		"a partition": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, dir, "orders-0/00000000000000000000.log"), "x")
		}, "", "orders-0"},
		"a file of somebody's": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, dir, "notes.txt"), "x")
		}, "", "notes.txt"},
		"metadata": {func(t *testing.T, disks string) {
			from := filepath.Join(disks, controllerClaim, "kafka-log5/__cluster_metadata-0/00000000000000000000.log")
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(disks, dir, "__cluster_metadata-0/00000000000000000000.log"), string(content))
		}, "", "holds something"},
		"a link": {func(t *testing.T, disks string) {
			if err := os.Symlink("/etc/passwd", filepath.Join(disks, dir, "cleaner-offset-checkpoint")); err != nil {
				t.Fatal(err)
			}
		}, "", "cleaner-offset-checkpoint"},
		"no ID": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, dir, "meta.properties"), "version=0\n")
		}, "", "no cluster ID"},
		"no log directory": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, brokerClaim, "backup/notes.txt"), "x")
		}, brokerClaim + ":backup", "it is no log directory"},
		"a file in its place": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, brokerClaim, "kafka-log9"), "x")
		}, brokerClaim + ":kafka-log9", "it is no log directory"},
		"not there":     {func(*testing.T, string) {}, brokerClaim + ":kafka-log16", "no such directory"},
		"no such claim": {func(*testing.T, string) {}, "data-0-other-broker-0:kafka-log0", "no such claim"},
		"in a bare log directory": {func(t *testing.T, disks string) {
			writeFile(t, filepath.Join(disks, brokerClaim, "meta.properties"), "cluster.id="+theID+"\nnode.id=0\nversion=1\n")
		}, "", "the volume's root is a log directory too"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, func(disks string) {
				formatted(t, disks, brokerClaim, 7, randomID)
				c.change(t, disks)
			})
			if c.ref == "" {
				c.ref = brokerClaim + ":kafka-log7"
			}
			before := filesBelow(t, g.disks)
			result, err := g.restore(setAside(t, c.ref))
			var refused *recovery.AsideError
			if !errors.As(err, &refused) || result.Outcome != recovery.OutcomeRefused || !strings.Contains(refused.Why, c.says) {
				t.Errorf("must be refused with %q: %v, %s", c.says, err, result.Outcome)
			}
			if !maps.Equal(before, filesBelow(t, g.disks)) {
				t.Error("a volume was changed")
			}
			for _, write := range g.server.Writes() {
				if strings.Contains(write, "kafkas") || strings.Contains(write, "strimzipodsets") {
					t.Errorf("nothing but Retain and the lock may have been written: %s", write)
				}
			}
		})
	}
}

// The node that uses the directory runs on it: it writes on until it is stopped, which changes nothing that matters.
func TestADirectoryInUseMayChangeWithinWhatAStartWrites(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, content, says string
	}{
		"its checkpoints and its clean stop": {".kafka_cleanshutdown", `{"version":0,"brokerEpoch":1}`, ""},
		"a topic arrived":                    {"orders-0/00000000000000000000.log", "x", "it is not what was judged"},
		"another directory": {
			"meta.properties", "cluster.id=" + randomID + "\ndirectory.id=xP7V8z7ZQ0aoQnWU7EYr4g\nnode.id=5\nversion=1\n",
			"it is not what was judged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, func(disks string) {
				if err := os.RemoveAll(filepath.Join(disks, controllerClaim, "kafka-log5")); err != nil {
					t.Fatal(err)
				}
				formatted(t, disks, controllerClaim, 5, randomID)
			})
			g.operate()
			g.hooks[recovery.StepSetAside] = func() {
				writeFile(t, filepath.Join(g.disks, controllerClaim, "kafka-log5", c.file), c.content)
			}
			result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) {
				setAside(t, controllerClaim+":kafka-log5")(r, d)
				r.Accept = append(r.Accept, finding.Lift{Rule: "would-be-formatted", Subject: "pvc/" + controllerClaim},
					finding.Lift{Rule: "controller-empty", Subject: "node/5"})
			})
			if c.says != "" {
				g.wantLeftPaused(result, err, c.says)
				return
			}
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatalf("%v %s %s %+v", err, result.Outcome, result.Reason, result.Refusals)
			}
		})
	}
}

func TestADirectoryIsNotRenamedOnceTheWorldHasChanged(t *testing.T) {
	t.Parallel()
	volume := "pv-" + brokerClaim
	for name, c := range map[string]struct {
		meanwhile func(*ground)
		says      string
	}{
		"its content": {func(g *ground) {
			writeFile(g.T, filepath.Join(g.disks, brokerClaim, "kafka-log7", ".kafka_cleanshutdown"), "")
		}, "it is not what was judged"},
		"it is gone": {func(g *ground) {
			if err := os.RemoveAll(filepath.Join(g.disks, brokerClaim, "kafka-log7")); err != nil {
				g.Error(err)
			}
		}, "file does not exist"},
		"the reclaim policy": {func(g *ground) {
			g.patch(volumeGVR, volume, object{"spec": object{"persistentVolumeReclaimPolicy": "Delete"}})
		}, "its reclaim policy became Delete"},
		"the volume is going away": {func(g *ground) {
			g.patch(volumeGVR, volume, object{"metadata": object{"deletionTimestamp": "2026-11-24T03:15:00Z"}})
		}, "it is being deleted"},
		"the volume is another claim's": {func(g *ground) {
			g.patch(volumeGVR, volume, object{"spec": object{"claimRef": object{"uid": "another"}}})
		}, "bound to another claim"},
		"the volume is another one": {func(g *ground) {
			o := g.server.Get(kube.Volumes(), "", volume)
			o["metadata"] = object{"name": volume, "uid": "another"}
			g.server.Put(kube.Volumes(), o)
		}, "replaced"},
		"the claim is going away": {func(g *ground) {
			g.patch(claimGVR, brokerClaim, object{"metadata": object{"deletionTimestamp": "2026-11-24T03:15:00Z"}})
		}, "it is being deleted"},
		"the pod set is another one": {func(g *ground) {
			g.podSet("broker", []any{object{"metadata": object{"name": "my-cluster-broker-0"}}}, 1)
		}, "it was replaced by another one"},
		"somebody else's pod has the claim": {func(g *ground) {
			g.server.Put(kube.Pods(), object{
				"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": ns, "name": "debug", "uid": "uid-debug"},
				"spec": object{"volumes": []any{object{
					"name": "data", "persistentVolumeClaim": object{"claimName": brokerClaim},
				}}},
				"status": object{"phase": "Running"},
			})
		}, "pod/debug"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, func(disks string) { formatted(t, disks, brokerClaim, 7, randomID) })
			g.operate()
			g.hooks[recovery.StepSetAside] = func() { c.meanwhile(g) }
			result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) {
				setAside(t, brokerClaim+":kafka-log7")(r, d)
				r.Timeout = 2 * time.Second
			})
			g.wantLeftPaused(result, err, c.says)
			aside, gerr := filepath.Glob(filepath.Join(g.disks, brokerClaim, "set-aside-*"))
			if gerr != nil || len(aside) > 0 {
				t.Errorf("it was renamed nevertheless: %q %v", aside, gerr)
			}
		})
	}
}

// What was stopped for a renaming that then failed stays stopped, which must be said.
func TestARenamingThatFailsLeavesItPausedAndIsJournaledAsFailed(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { formatted(t, disks, brokerClaim, 7, randomID) })
	g.operate()
	g.renames = func(recovery.RenameRequest) error { return errors.New("mount claim: Multi-Attach error") }
	result, err := g.restore(setAside(t, brokerClaim+":kafka-log7"))
	g.wantLeftPaused(result, err, "Multi-Attach error")
	if next := strings.Join(result.Next, "\n"); !strings.Contains(next, "the pods of strimzipodset/my-cluster-broker") {
		t.Errorf("what was stopped must be said: %s", next)
	}
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil || !slices.ContainsFunc(entries, func(e recovery.Entry) bool {
		return e.Phase == recovery.PhaseFailed && len(e.Changes) == 1 && e.Changes[0].Verb == recovery.VerbRename
	}) {
		t.Errorf("%v: whoever goes on must not take it for done: %+v", err, entries)
	}
}

func TestWithoutPermissionToStopPodsNothingBegins(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { formatted(t, disks, brokerClaim, 7, randomID) })
	g.server.AnswerWith(deny("delete", "strimzipodsets"))
	_, err := g.restore(setAside(t, brokerClaim+":kafka-log7"))
	var denied *recovery.AccessError
	if !errors.As(err, &denied) || !strings.Contains(denied.Error(), "strimzipodsets") {
		t.Fatalf("the missing permission must be named before anything is touched: %v", err)
	}
	if writes := g.server.Writes(); len(writes) > 0 {
		t.Errorf("nothing may have been written: %q", writes)
	}
}
