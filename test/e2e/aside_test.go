package e2e_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreRenamesWhatARandomStartFormatted begins with two brokers' volumes under each other's claims. Both nodes
// format a directory of theirs beside the other's data, with the random cluster ID. Then the volumes are put right, and
// a controller's is replaced by an empty one, which its node formats as well, and runs on.
func TestRestoreRenamesWhatARandomStartFormatted(t *testing.T) {
	full(t)
	s := newStory(t, "set-aside", quickOperator())
	swap := map[string]string{}
	left := map[string]string{} // by claim, once the volumes are right: what the other node formatted on it
	for _, id := range []string{"0", "1"} {
		a, b := "data-"+id+"-my-cluster-broker-0", "data-"+id+"-my-cluster-broker-1"
		swap[a], swap[b] = b, a
		left[a], left[b] = "kafka-log1", "kafka-log0"
	}
	s.planted(ground.Planting{From: swap})
	s.crashLooping()
	for claim := range left {
		s.formatted(claim, left[swap[claim]])
	}
	s.must(s.Delete(s.ctx))
	s.must(s.RestartOperator(s.ctx, s.Namespace))
	for _, id := range []string{"0", "1"} {
		s.exchange("data-"+id+"-my-cluster-broker-0", "data-"+id+"-my-cluster-broker-1")
	}
	controller, node := s.replaceable()
	dirOfController := "kafka-log" + node
	s.emptied(controller)
	s.crashLooping()
	s.formatted(controller, dirOfController)

	args := []string{"restore", "kafka/my-cluster", "--yes"}
	s.says(s.run(3, args...), "formatted-beside-data", "--set-aside pvc/"+controller+":"+dirOfController)
	was := map[string]map[string]string{}
	for claim, dir := range left {
		was[claim] = s.filesOf(claim, dir)
		args = append(args, "--set-aside", "pvc/"+claim+":"+dir)
	}
	controllerMeta := s.properties(controller, dirOfController)
	args = append(args, "--set-aside", "pvc/"+controller+":"+dirOfController)
	s.says(s.run(3, args...), "would-be-formatted") // that this controller starts empty is another decision
	if _, err := os.Stat(s.onDisk(controller, dirOfController)); err != nil {
		t.Errorf("refused, and yet it was renamed: %v", err)
	}
	args = append(args, "--accept", "would-be-formatted=pvc/"+controller, "--accept", "controller-empty=node/"+node)
	s.says(s.run(0, append(args, "--dry-run=client")...), "delete strimzipodset/my-cluster-broker")
	result := s.run(0, args...)
	s.says(result, "5 renamed")
	s.recovered()
	for claim, dir := range left {
		s.wantAside(claim, dir, was[claim])
	}
	kept := s.properties(controller, s.wantOneAside(controller, dirOfController))
	if diff := cmp.Diff(controllerMeta, kept); diff != "" || len(kept) == 0 {
		t.Errorf("the controller's directory was to be kept (-before +after):\n%s", diff)
	}
	pods, err := s.Client.CoreV1().Pods(s.Namespace).List(s.ctx,
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kafkarecover"})
	s.must(err)
	if len(pods.Items) > 0 {
		t.Errorf("a temporary pod was left behind: %s", pods.Items[0].Name)
	}
	s.run(0, "restore", "kafka/my-cluster", "--yes") // there is nothing left to be done
}

// replaceable is a controller's claim, and its node, such that the other two have the same metadata: with it lost,
// nothing is. Controllers are not stopped at the same record, so that one of the others is given what the one that
// goes furthest has, as if it had fetched it in time.
func (s *story) replaceable() (claim, node string) {
	s.Helper()
	const prefix = "data-0-my-cluster-controller-"
	nodes := s.controllersByEnd()
	if len(nodes) != 3 {
		s.Fatalf("the metadata of three controllers was to be read: %v", nodes)
	}
	furthest, behind, replaced := nodes[2], nodes[1], nodes[0]
	log := func(node, name string) string {
		return s.onDisk(prefix+node, filepath.Join("kafka-log"+node, "__cluster_metadata-0", name))
	}
	for _, node := range []string{behind, furthest} {
		entries, err := os.ReadDir(log(node, ""))
		s.must(err)
		for _, e := range entries {
			switch {
			case e.Name() == "quorum-state": // each node's own
			case node == behind:
				s.must(os.RemoveAll(log(behind, e.Name())))
			default:
				output, err := exec.CommandContext(s.ctx, "cp", "-a", log(furthest, e.Name()), log(behind, "")).CombinedOutput()
				if err != nil {
					s.Fatalf("%v: %s", err, output)
				}
			}
		}
	}
	return prefix + replaced, replaced
}

// controllersByEnd are the controllers' nodes, the one whose metadata ends first before the others.
func (s *story) controllersByEnd() []string {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, "scan", "kafka/my-cluster", "--namespace", s.Namespace, "-o", "json")
	s.must(err)
	s.Logf("exit %d: %s", result.Code, result.Stderr)
	var scan struct {
		Clusters []struct {
			Volumes []struct {
				Name     string
				Contents struct {
					Dirs []struct {
						Path        string
						MetadataLog *struct{ End struct{ Offset, Epoch int64 } }
					}
				}
			}
		}
	}
	s.must(json.Unmarshal([]byte(result.Stdout), &scan))
	if len(scan.Clusters) != 1 {
		s.Fatalf("one cluster was to be found, not %d", len(scan.Clusters))
	}
	ends := map[string][]int64{}
	for _, v := range scan.Clusters[0].Volumes {
		id, isController := strings.CutPrefix(v.Name, "pvc/data-0-my-cluster-controller-")
		for _, d := range v.Contents.Dirs {
			if isController && d.Path == "kafka-log"+id && d.MetadataLog != nil {
				ends[id] = []int64{d.MetadataLog.End.Epoch, d.MetadataLog.End.Offset}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(ends), func(a, b string) int {
		if c := slices.Compare(ends[a], ends[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}

// onDisk is a name on a claim's volume.
func (s *story) onDisk(claim, name string) string {
	s.Helper()
	dir, err := s.VolumeDir(s.before.Layout[claim])
	s.must(err)
	return filepath.Join(dir, name)
}

// formatted waits until a node has formatted a directory on a claim's volume.
func (s *story) formatted(claim, dir string) {
	s.Helper()
	s.must(ground.Wait(s.ctx, 2*time.Minute, dir+" on "+claim+" is formatted", func(context.Context) error {
		_, err := os.Stat(s.onDisk(claim, filepath.Join(dir, "meta.properties")))
		return err
	}))
}

// exchange gives two claims each the other's directory, while nobody has them mounted.
func (s *story) exchange(a, b string) {
	s.Helper()
	one, other := s.onDisk(a, ""), s.onDisk(b, "")
	s.must(os.Rename(one, one+".moving"))
	s.must(os.Rename(other, one))
	s.must(os.Rename(one+".moving", other))
}

// emptied is what a replaced disk is.
func (s *story) emptied(claim string) {
	s.Helper()
	entries, err := os.ReadDir(s.onDisk(claim, ""))
	s.must(err)
	for _, e := range entries {
		s.must(os.RemoveAll(s.onDisk(claim, e.Name())))
	}
}

// filesOf are the files below a directory of a volume with their content, owner, mode and time.
func (s *story) filesOf(claim, dir string) map[string]string {
	s.Helper()
	found := map[string]string{}
	root := s.onDisk(claim, dir)
	s.must(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[strings.TrimPrefix(path, root)], err = fileFingerprint(path, entry)
		return err
	}))
	return found
}

// properties are the lines of a directory's meta.properties but its comments: a node that runs writes the file again,
// with the time of day.
func (s *story) properties(claim, dir string) []string {
	s.Helper()
	raw, err := os.ReadFile(s.onDisk(claim, filepath.Join(dir, "meta.properties")))
	s.must(err)
	lines := slices.DeleteFunc(strings.Fields(string(raw)), func(l string) bool { return !strings.Contains(l, "=") })
	slices.Sort(lines)
	return lines
}

// wantOneAside requires that a directory has another name now, and returns it.
func (s *story) wantOneAside(claim, dir string) string {
	s.Helper()
	found, err := filepath.Glob(s.onDisk(claim, "set-aside-restore-*-"+dir))
	s.must(err)
	if len(found) != 1 {
		s.Fatalf("%s of %s must be there once under another name: %q", dir, claim, found)
	}
	return filepath.Base(found[0])
}

// wantAside requires that a directory was renamed and is otherwise what it was.
func (s *story) wantAside(claim, dir string, was map[string]string) {
	s.Helper()
	now := s.filesOf(claim, s.wantOneAside(claim, dir))
	if diff := cmp.Diff(was, now); diff != "" || len(now) == 0 {
		s.Errorf("%s of %s must be kept as it was (-before +after):\n%s", dir, claim, diff)
	}
	if _, err := os.Stat(s.onDisk(claim, dir)); err == nil {
		s.Errorf("%s is still on %s", dir, claim)
	}
}
