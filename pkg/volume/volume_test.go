package volume_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// observed are the recorded objects of a namespace of the real operator.
func observed(t *testing.T, file string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "strimzi", "testdata", "observed", file))
	if err != nil {
		t.Fatal(err)
	}
	return object.Maps(parse(t, string(raw)), "items")
}

func TestRecordedClaimsAndVolumes(t *testing.T) {
	t.Parallel()
	in := volume.Objects{Known: strimzi.Known{Clusters: []string{"my-cluster"}}}
	for _, o := range observed(t, "pvcs.yaml") {
		in.Claims = append(in.Claims, volume.ParseClaim(o))
	}
	for _, o := range observed(t, "pvs-bound.yaml") {
		in.Volumes = append(in.Volumes, volume.ParsePersistentVolume(o))
	}
	volumes, others := volume.FromObjects(in)
	if len(volumes) != 9 || len(others) != 0 {
		t.Fatalf("the recording has nine claims, each with its volume; got %d and %d", len(volumes), len(others))
	}
	for _, v := range volumes {
		if !v.BoundBothWays() || v.Slot == nil || "pvc/"+v.Slot.ClaimName() != v.Name || v.InUse() || v.Known() {
			t.Errorf("%s: bound %v, slot %+v", v.Name, v.BoundBothWays(), v.Slot)
		}
		if v.PV.Driver != "local" || !strings.HasPrefix(v.PV.Handle, "/mnt/disks/") || len(v.PV.Nodes) != 1 {
			t.Errorf("%s: lies on %q %q, nodes %v", v.Name, v.PV.Driver, v.PV.Handle, v.PV.Nodes)
		}
	}
	if v := volumes[0]; v.Slot.Pool != "broker" || v.Slot.NodeID != 0 {
		t.Errorf("brokers come first, from 0 on; the first is %+v", v.Slot)
	}
}

func TestRecordedReleasedVolumes(t *testing.T) {
	t.Parallel()
	var released []volume.PersistentVolume
	for _, o := range observed(t, "pvs-released.yaml") {
		if pv := volume.ParsePersistentVolume(o); pv.ClaimName != "" { // three volumes were never claimed
			released = append(released, pv)
		}
	}
	volumes := volume.FromReleased(released, strimzi.Known{Clusters: []string{"my-cluster"}})
	if len(volumes) != 9 {
		t.Fatalf("want nine, got %d", len(volumes))
	}
	for _, v := range volumes {
		if v.PV.Phase != volume.PhaseReleased || v.PV.ReclaimPolicy != volume.PolicyRetain || v.Claim != nil ||
			v.Slot.ClaimName() != v.PV.ClaimName || v.BoundBothWays() {
			t.Errorf("%+v", v)
		}
	}
}

func TestWhatIsBehindAVolume(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`csi: {driver: ebs.csi.aws.com, volumeHandle: vol-1}`:   "ebs.csi.aws.com vol-1",
		`nfs: {server: 10.0.0.1, path: /exports/a}`:             "nfs 10.0.0.1:/exports/a",
		`hostPath: {path: /data}`:                               "hostPath /data",
		`awsElasticBlockStore: {volumeID: "aws://a/vol-1"}`:     "awsElasticBlockStore aws://a/vol-1",
		`rbd: {pool: p, image: i}`:                              "rbd p:i",
		`csi: 7`:                                                " ",
		`flexVolume: {driver: x}`:                               " ",
		`local: {}`:                                             "local ",
		`{csi: {driver: d, volumeHandle: h}, local: {path: x}}`: "d h",
	} {
		v := volume.ParsePersistentVolume(map[string]any{"spec": parse(t, spec)})
		if got := v.Driver + " " + v.Handle; got != want {
			t.Errorf("%s: want %q, got %q", spec, want, got)
		}
	}
}

func TestWhereAVolumeIs(t *testing.T) {
	t.Parallel()
	term := func(key, operator, values string) string {
		return `{matchExpressions: [{key: ` + key + `, operator: ` + operator + `, values: ` + values + `}]}`
	}
	for title, tc := range map[string]struct{ terms, labels, zone, nodes string }{
		"by zone":               {term("topology.kubernetes.io/zone", "In", "[b, a]"), "{}", "a,b", ""},
		"by a driver's own key": {term("topology.gke.io/zone", "In", "[z]"), "{}", "z", ""},
		"by node":               {term("kubernetes.io/hostname", "In", "[node-1]"), "{}", "", "node-1"},
		"not there":             {term("topology.kubernetes.io/zone", "NotIn", "[a]"), "{}", "", ""},
		"by label":              {"", "{topology.kubernetes.io/zone: l}", "l", ""},
		"twice the same": {
			term("kubernetes.io/hostname", "In", "[node-1]") + "," + term("kubernetes.io/hostname", "In", "[node-1]"),
			"{}", "", "node-1",
		},
	} {
		v := volume.ParsePersistentVolume(parse(t, `
metadata: {name: x, labels: `+tc.labels+`}
spec: {nodeAffinity: {required: {nodeSelectorTerms: [`+tc.terms+`]}}}`))
		if v.Zone != tc.zone || strings.Join(v.Nodes, ",") != tc.nodes {
			t.Errorf("%s: got zone %q, nodes %v", title, v.Zone, v.Nodes)
		}
	}
}

func TestUsesOfClaims(t *testing.T) {
	t.Parallel()
	pod := parse(t, `
metadata: {name: c-p-0}
spec:
  nodeName: node-1
  containers:
  - {name: sidecar, volumeMounts: [{name: data-0, mountPath: /part, subPath: x}]}
  - {name: kafka, volumeMounts: [{name: other, mountPath: /o}, {name: data-0, mountPath: /var/lib/kafka/data-0}]}
  volumes:
  - {name: data-0, persistentVolumeClaim: {claimName: data-0-c-p-0}}
  - {name: scratch, ephemeral: {volumeClaimTemplate: {}}}
  - {name: config, configMap: {name: x}}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}`)
	want := []volume.ClaimUse{
		{Claim: "data-0-c-p-0", Pod: volume.PodRef{
			Name: "c-p-0", Node: "node-1", Phase: "Running", Ready: true, Container: "kafka", MountPath: "/var/lib/kafka/data-0",
		}},
		{Claim: "c-p-0-scratch", Pod: volume.PodRef{Name: "c-p-0", Node: "node-1", Phase: "Running", Ready: true}},
	}
	if diff := cmp.Diff(want, volume.ClaimUses(pod)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, phase := range []string{"Succeeded", "Failed"} {
		pod["status"] = map[string]any{"phase": phase}
		if uses := volume.ClaimUses(pod); len(uses) > 0 {
			t.Errorf("a pod that has %s holds nothing, got %v", phase, uses)
		}
	}
}

func TestVolumesAreBoundBothWays(t *testing.T) {
	t.Parallel()
	claim := func(change func(c *volume.Claim)) volume.Claim {
		c := volume.Claim{Namespace: "ns", Name: "data-0-c-p-0", UID: "1", Phase: "Bound", Volume: "pv"}
		change(&c)
		return c
	}
	pv := func(change func(p *volume.PersistentVolume)) volume.PersistentVolume {
		p := volume.PersistentVolume{
			Name: "pv", Phase: "Bound", ClaimNamespace: "ns", ClaimName: "data-0-c-p-0", ClaimUID: "1",
		}
		change(&p)
		return p
	}
	same, samePV := func(*volume.Claim) {}, func(*volume.PersistentVolume) {}
	for title, tc := range map[string]struct {
		claim func(*volume.Claim)
		pv    func(*volume.PersistentVolume)
		bound bool
	}{
		"both name each other": {same, samePV, true},
		"a claim made anew":    {func(c *volume.Claim) { c.UID = "2" }, samePV, false},
		"no UIDs at all": {
			func(c *volume.Claim) { c.UID = "" }, func(p *volume.PersistentVolume) { p.ClaimUID = "" }, false,
		},
		"the claim is pending":     {func(c *volume.Claim) { c.Phase = "Pending" }, samePV, false},
		"the volume is released":   {same, func(p *volume.PersistentVolume) { p.Phase = "Released" }, false},
		"another namespace":        {same, func(p *volume.PersistentVolume) { p.ClaimNamespace = "x" }, false},
		"the claim names another":  {func(c *volume.Claim) { c.Volume = "pv2" }, samePV, false},
		"the volume names another": {same, func(p *volume.PersistentVolume) { p.ClaimName = "x" }, false},
	} {
		got, _ := volume.FromObjects(volume.Objects{
			Claims: []volume.Claim{claim(tc.claim)}, Volumes: []volume.PersistentVolume{pv(tc.pv)},
			Uses: []volume.ClaimUse{{Claim: "data-0-c-p-0"}, {Claim: "other"}},
		})
		if len(got) != 1 || got[0].BoundBothWays() != tc.bound || len(got[0].Claim.UsedBy) != 1 {
			t.Errorf("%s: want %v, got %+v", title, tc.bound, got)
		}
	}
}

// The likeliest picture after everything was created again: the claim's new volume is empty, the old one is Released.
func TestVolumesThatNameAClaimWithoutBeingBoundToIt(t *testing.T) {
	t.Parallel()
	named := func(name, uid, phase string) volume.PersistentVolume {
		return volume.PersistentVolume{
			Name: name, Phase: phase, ClaimNamespace: "ns", ClaimName: "data-0-c-p-0", ClaimUID: uid,
		}
	}
	elsewhere := named("elsewhere", "0", "Released")
	elsewhere.ClaimNamespace = "other"
	volumes, others := volume.FromObjects(volume.Objects{
		Claims: []volume.Claim{{Namespace: "ns", Name: "data-0-c-p-0", UID: "2", Phase: "Bound", Volume: "new"}},
		Volumes: []volume.PersistentVolume{
			named("old-b", "1", "Released"), named("new", "2", "Bound"), named("old-a", "0", "Available"), elsewhere,
			{Name: "free", Phase: "Available"},
		},
	})
	var got []string
	for _, o := range others {
		got = append(got, o.Name)
	}
	if diff := cmp.Diff([]string{"old-a", "old-b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(volumes) != 1 || volumes[0].PV.Name != "new" {
		t.Errorf("the claim's own volume is the one it names, got %+v", volumes)
	}
}

func TestSorting(t *testing.T) {
	t.Parallel()
	slot := func(cluster, pool string, node, id int32) *volume.Slot {
		s := &volume.Slot{Cluster: cluster, Pool: pool, NodeID: node}
		if id >= 0 {
			s.VolumeID = &id
		}
		return s
	}
	want := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	volumes := []volume.Volume{
		{Name: "8"}, {Name: "6", Slot: slot("b", "a", 0, 0)}, {Name: "4", Slot: slot("a", "p", 10, 0)}, {Name: "7"},
		{Name: "3", Slot: slot("a", "p", 2, 1)}, {Name: "1", Slot: slot("a", "p", 2, -1)},
		{Name: "5", Slot: slot("a", "q", 0, 0)}, {Name: "2", Slot: slot("a", "p", 2, 0)},
	}
	volume.Sort(volumes)
	var got []string
	for _, v := range volumes {
		got = append(got, v.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("as people count (-want +got):\n%s", diff)
	}
	if (*volume.Slot)(nil).ClaimName() != "" || slot("", "p", 1, 0).ClaimName() != "" {
		t.Error("a slot that is not certain has no claim's name")
	}
	if got := slot("c", "p", 1, 0).ClaimName(); got != "data-0-c-p-1" {
		t.Errorf("got %q", got)
	}
}

// tree makes files; a name that ends with "/" is a folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, path string) *volume.Folder {
	t.Helper()
	f, err := volume.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func names(f *volume.Folder) []string {
	var out []string
	for _, v := range f.Volumes {
		out = append(out, v.Name)
	}
	return out
}

func TestAFolderIsAVolumeALogDirectoryOrAFolderOfVolumes(t *testing.T) {
	t.Parallel()
	log := tree(t, "meta.properties")
	if got := names(open(t, log)); len(got) != 1 || got[0] != "dir/"+filepath.Base(log) {
		t.Errorf("a log directory is one volume, got %v", got)
	}
	one := tree(t, "kafka-log3/meta.properties", "lost+found/")
	f := open(t, one)
	if len(f.Volumes) != 1 {
		t.Fatalf("want one volume, got %v", names(f))
	}
	fsys, err := f.Open(f.Volumes[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "kafka-log3/meta.properties"); err != nil || len(got) == 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := f.Open("dir/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	many := open(t, tree(t,
		"data-0-c-p-10/kafka-log10/meta.properties", "data-0-c-p-2/", "node/__cluster_metadata-0/x", "notes/read.me",
		"README", "empty/",
	))
	want := []string{"dir/data-0-c-p-2", "dir/data-0-c-p-10", "dir/empty", "dir/node"}
	if diff := cmp.Diff(want, names(many)); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"README", "notes"}, many.Left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if s := many.Volumes[0].Slot; s == nil || s.ClaimName() != "data-0-c-p-2" || s.NodeID != 2 {
		t.Errorf("the slot is in the name, got %+v", s)
	}
}

func TestFoldersThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	if _, err := volume.OpenFolder(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := volume.OpenFolder(tree(t, "a/b")); !errors.Is(err, volume.ErrNoVolume) {
		t.Errorf("got %v", err)
	}
	if _, err := volume.OpenFolder(filepath.Join(tree(t, "file"), "file")); err == nil {
		t.Error("a file is no folder")
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("making a link needs a privilege there")
	}
	outside := tree(t, "kafka-log0/meta.properties", "secret")
	dir := tree(t, "data-0-c-p-1/kafka-log1/meta.properties", "odd\x1b[31m/x")
	for link, to := range map[string]string{
		"data-0-c-p-0": outside, "data-0-c-p-1/out": filepath.Join(outside, "secret"),
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t, dir)
	if v := f.Volumes[0]; v.Name != "dir/data-0-c-p-0" || v.State != volume.Unread || !strings.Contains(v.Reason, "link") {
		t.Errorf("a link must be told and not followed, got %+v", v)
	}
	fsys, err := f.Open("dir/data-0-c-p-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(fsys, "out"); err == nil {
		t.Errorf("a link led out of the volume to %q", got)
	}
	if diff := cmp.Diff([]string{`odd\x1b[31m`}, f.Left); diff != "" {
		t.Errorf("names are escaped (-want +got):\n%s", diff)
	}
}
