package recovery_test

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// wholeDisks are volumes as Kafka left them, by fixture, unpacked and read once for all states.
type wholeDisks struct {
	t  *testing.T
	mu sync.Mutex
	by map[string]*disks
}

func (w *wholeDisks) of(fixture string) *disks {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by[fixture] == nil {
		dir := volumes.Unpack(w.t, fixture)
		w.by[fixture] = &disks{dir: dir, clusterID: volumes.ReadManifest(w.t, fixture).ClusterID, read: readFolder(w.t, dir)}
	}
	return w.by[fixture]
}

// readFolder reads volumes, by their claims.
func readFolder(t *testing.T, dir string) map[string]volume.Volume {
	t.Helper()
	seen, err := scan.Folder(t.Context(), dir, time.Now(), scan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]volume.Volume{}
	for _, v := range seen.Clusters[0].Volumes {
		out[strings.TrimPrefix(v.Name, "dir/")] = v
	}
	return out
}

// disksFor returns the disks of a state: the whole ones, with copies of those in their place that are changed.
func (c refusing) disksFor(t *testing.T, all *wholeDisks) *disks {
	t.Helper()
	whole := all.of(cmp.Or(c.fixture, volumes.SplitRoles))
	d := &disks{dir: whole.dir, clusterID: whole.clusterID, read: whole.read}
	if c.disks != nil {
		changed := disksOf{t, whole.dir, t.TempDir()}
		c.disks(changed)
		d.read = maps.Clone(whole.read)
		maps.Copy(d.read, readFolder(t, changed.dir))
	}
	return d
}

// disksOf are volumes to be changed, each by its claim; "0-broker-1" is short for that of the stand's cluster. Those
// that are used are copied from the whole ones.
type disksOf struct {
	t          *testing.T
	whole, dir string
}

func claimOf(short string) string {
	if strings.HasPrefix(short, "data-") {
		return short
	}
	return "data-" + short[:2] + standCluster + "-" + short[2:]
}

// volume is the folder of a claim.
func (d disksOf) volume(short string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, claimOf(short))
	if _, err := os.Stat(path); err != nil {
		d.must(os.CopyFS(path, os.DirFS(filepath.Join(d.whole, claimOf(short)))))
	}
	return path
}

// logDir is the log directory of a node on the claim's volume.
func (d disksOf) logDir(short, node string) string {
	return filepath.Join(d.volume(short), "kafka-log"+node)
}

// path is below the log directory that the claim's node uses.
func (d disksOf) path(short string, more ...string) string {
	return filepath.Join(append([]string{d.logDir(short, short[len(short)-1:])}, more...)...)
}

func (d disksOf) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// empty leaves nothing on volumes.
func (d disksOf) empty(shorts ...string) {
	d.t.Helper()
	for _, short := range shorts {
		d.must(os.RemoveAll(d.path(short)))
	}
}

// properties puts another line in the place of a key's in meta.properties; an empty one takes it out.
func (d disksOf) properties(short, key, line string) {
	d.t.Helper()
	path := d.path(short, "meta.properties")
	raw, err := os.ReadFile(path)
	d.must(err)
	if line != "" {
		line += "\n"
	}
	changed := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(key)+`=.*\n`).ReplaceAllLiteralString(string(raw), line)
	if changed == string(raw) {
		d.t.Fatalf("%q has no %q", path, key)
	}
	d.must(os.WriteFile(path, []byte(changed), 0o600))
}

// fresh makes a log directory of a node that was just formatted with another cluster's ID.
func (d disksOf) fresh(short, node string) {
	d.t.Helper()
	path := d.logDir(short, node)
	d.must(os.MkdirAll(path, 0o700))
	d.must(os.WriteFile(filepath.Join(path, "meta.properties"), []byte("version=1\ncluster.id="+
		volumes.OtherClusterID+"\nnode.id="+node+"\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n"), 0o600))
}

// older takes a metadata log back to what it was when it held that many batches: the log is cut, snapshots are taken
// away, as on a volume from an earlier backup.
func (d disksOf) older(short string, batches int) {
	d.t.Helper()
	dir := d.path(short, "__cluster_metadata-0")
	path := filepath.Join(dir, "00000000000000000000.log")
	raw, err := os.ReadFile(path)
	d.must(err)
	end := 0
	for range batches {
		end += 12 + int(binary.BigEndian.Uint32(raw[end+8:])) // base offset, then the length of the rest
	}
	d.must(os.WriteFile(path, raw[:end], 0o600))
	snapshots, err := filepath.Glob(filepath.Join(dir, "*.checkpoint"))
	d.must(err)
	for _, s := range snapshots {
		if !strings.HasPrefix(filepath.Base(s), "00000000000000000000-") {
			d.must(os.Remove(s))
		}
	}
}

// liftable are the acceptances of all refusals but one; final are those that cannot be accepted.
func liftable(refusals []finding.Finding, but finding.Lift) (lifts []finding.Lift, final []string) {
	for _, f := range refusals {
		if named(but)(f) {
			continue
		}
		lift, err := finding.ParseAccept(f.Rule + "=" + f.Subject)
		if err != nil {
			final = append(final, f.Rule+"="+f.Subject)
			continue
		}
		lifts = append(lifts, lift)
	}
	return lifts, final
}

func named(l finding.Lift) func(finding.Finding) bool {
	return func(f finding.Finding) bool { return f.Rule == l.Rule && f.Subject == l.Subject }
}

// change alters an object as it is.
func (s *stand) change(gvr schema.GroupVersionResource, name string, do func(kubetest.Object)) {
	s.t.Helper()
	namespace := standNamespace
	switch gvr {
	case kube.Volumes():
		namespace = ""
	case kube.Deployments():
		namespace = operatorNamespace
	}
	o := s.server.Get(gvr, namespace, name)
	if o == nil {
		s.t.Fatalf("there is no %s %q", gvr.Resource, name)
	}
	do(o)
	s.server.Put(gvr, o)
}

// everything is the content of all objects there are, but for the journal.
func (s *stand) everything() map[string]string {
	s.t.Helper()
	out := s.content()
	for _, gvr := range []schema.GroupVersionResource{
		strimzi.KafkaGVR("v1beta2"), strimzi.NodePoolGVR("v1beta2"), strimzi.PodSetGVR("v1"), kube.Pods(),
		kube.Deployments(), kube.Namespaces(), kube.StatefulSets(),
	} {
		namespace := standNamespace
		if gvr == kube.Deployments() || gvr == kube.Namespaces() {
			namespace = ""
		}
		list, err := s.client.List(s.t.Context(), gvr, namespace, kube.ListOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		for i := range list.Items {
			text, err := json.Marshal(list.Items[i].Object)
			if err != nil {
				s.t.Fatal(err)
			}
			out[gvr.Version+" "+gvr.Resource+"/"+list.Items[i].GetName()] = string(text)
		}
	}
	for name := range out {
		if strings.HasPrefix(name, "configmaps/kafkarecover-") {
			delete(out, name)
		}
	}
	return out
}

// wantUntouched requires that nothing was changed but reclaim policies, and that since a number of requests nothing was
// written but them, the lock and the journal.
func (s *stand) wantUntouched(before map[string]string, since int) {
	s.t.Helper()
	if diff := gocmp.Diff(before, s.everything()); diff != "" {
		s.t.Errorf("something was changed (-before +after):\n%s", diff)
	}
	for _, r := range s.server.Requests()[since:] {
		reads := slices.Contains([]string{"get", "list", "watch"}, r.Verb)
		own := slices.Contains([]string{"leases", "configmaps"}, r.Resource) &&
			(strings.HasPrefix(r.Name, "kafkarecover-") || strings.Contains(string(r.Body), `"name":"kafkarecover-`))
		switch {
		case reads, own, r.Resource == "selfsubjectaccessreviews", r.Resource == "persistentvolumes" && r.Verb == "patch":
		case len(r.Query["dryRun"]) > 0:
		default:
			s.t.Errorf("it asked the API server to %s", r.String())
		}
	}
}

// wantRetain requires that no volume that a claim holds is deleted with it.
func (s *stand) wantRetain() {
	s.t.Helper()
	claims, err := s.client.List(s.t.Context(), kube.Claims(), standNamespace, kube.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range claims.Items {
		claim := volume.ParseClaim(claims.Items[i].Object)
		o := s.server.Get(kube.Volumes(), "", claim.Volume)
		if pv := volume.ParsePersistentVolume(o); o != nil && pv.ReclaimPolicy != volume.PolicyRetain {
			s.t.Errorf("pv %q is %s", pv.Name, pv.ReclaimPolicy)
		}
	}
}
