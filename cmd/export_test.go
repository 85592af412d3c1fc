package cmd

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// settled replaces what is another whenever a fixture is written anew: how far the log goes, and how much is in use.
func settled(text string) string {
	text = regexp.MustCompile(`offset \d+`).ReplaceAllString(text, "offset N")
	return regexp.MustCompile(`[0-9.]+ [KM]iB`).ReplaceAllString(text, "N KiB")
}

func TestManifestsOfLostClusters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{volumes.SplitRoles, volumes.DualRole, volumes.SingleNode} {
		for _, version := range strimzi.Versions() {
			t.Run(name+"/"+version, func(t *testing.T) {
				t.Parallel()
				r := runTerminal(t, "export", "manifests", "--dir", volumes.Unpack(t, name), "--api-version", version)
				if r.code != exitcode.OK {
					t.Fatalf("exit code %d: %s", r.code, r.err)
				}
				golden(t, "../export/"+name+"."+version+".yaml", settled(r.out))
				if version == strimzi.V1 {
					golden(t, "../export/"+name+".txt", settled(r.err))
				}
			})
		}
	}
}

func TestManifestsInFiles(t *testing.T) {
	t.Parallel()
	disks, to := volumes.Unpack(t, volumes.SplitRoles), filepath.Join(t.TempDir(), "new")
	r := runOffline(t, "", "export", "manifests", "--dir", disks, "--output-dir", to, "-o", "json")
	if r.code != exitcode.OK {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	want := []string{
		"kafka.yaml", "kafkanodepool-broker.yaml", "kafkanodepool-controller.yaml", "kafkatopics.yaml", "kafkausers.yaml",
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var result Manifests
	if err := json.Unmarshal([]byte(r.out), &result); err != nil {
		t.Fatal(err)
	}
	for i := range result.Manifests {
		m := &result.Manifests[i]
		text, err := os.ReadFile(m.File)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(strings.Split(string(text), "\n---\n"), func(document string) bool {
			var o map[string]any
			return yaml.Unmarshal([]byte(document), &o) == nil && object.String(o, "kind") == m.Kind &&
				object.String(o, "metadata", "name") == m.Name
		}) {
			t.Errorf("%s is not in %s", m.Ref(), m.File)
		}
	}
	before := fileBytes(t, to)
	r = runOffline(t, "", "export", "manifests", "--dir", disks, "--output-dir", to)
	if r.code != exitcode.Refused || !strings.Contains(r.err, "nothing is replaced") || r.out != "" {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	if err := os.Remove(filepath.Join(to, "kafka.yaml")); err != nil {
		t.Fatal(err)
	}
	delete(before, "/kafka.yaml")
	if r = runOffline(t, "", "export", "manifests", "--dir", disks, "--output-dir", to); r.code != exitcode.Refused {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	if diff := cmp.Diff(before, fileBytes(t, to)); diff != "" {
		t.Errorf("all files are written or none (-before +after):\n%s", diff)
	}
}

func TestOnlyManifestsAreOnStandardOutput(t *testing.T) {
	t.Parallel()
	disks := volumes.Unpack(t, volumes.SingleNode)
	r := runOffline(t, "", "export", "manifests", disks)
	if r.code != exitcode.OK || !strings.HasPrefix(r.out, "# ") || !strings.Contains(r.err, "To decide") {
		t.Fatalf("exit code %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
	for _, document := range strings.Split(r.out, "\n---\n")[1:] {
		var o map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil || !strings.HasPrefix(object.String(o, "kind"), "Kafka") {
			t.Errorf("%v: %s", err, document)
		}
	}
	if q := runOffline(t, "", "export", "manifests", disks, "--quiet"); q.out != r.out || q.err != "" {
		t.Errorf("quiet: stderr %q", q.err)
	}
	if l := runOffline(t, "", "export", "manifests", disks, "--log-format", "json"); l.out != r.out || !json.Valid([]byte(l.err)) {
		t.Errorf("stderr is no JSON: %q", l.err)
	}
	if n := runOffline(t, "", "export", "manifests", disks, "-o", "name"); n.out != "kafka/single\nkafkanodepool/dual-role\nkafkatopic/orders\n" {
		t.Errorf("got %q", n.out)
	}
}

// earlierScan writes the scan of a folder, with claims of 7Gi for its volumes, and returns the file.
func earlierScan(t *testing.T, disks string, change func(s *scan.Scan)) string {
	t.Helper()
	r := runOffline(t, "", "scan", "--dir", disks, "-o", "json", "--fail-on", "never")
	var s scan.Scan
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		t.Fatal(err)
	}
	c := &s.Clusters[0]
	for i := range c.Volumes {
		v := &c.Volumes[i]
		v.Name = "pvc/" + strings.TrimPrefix(v.Name, "dir/")
		v.Claim = &volume.Claim{Name: strings.TrimPrefix(v.Name, "pvc/"), StorageClass: "fast", Object: map[string]any{
			"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": "7Gi"}}},
		}}
	}
	if change != nil {
		change(&s)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tonight.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestManifestsWithAnEarlierScan(t *testing.T) {
	t.Parallel()
	disks := volumes.Unpack(t, volumes.SplitRoles)
	export := func(file string) (*Manifests, ran) {
		r := runOffline(t, "", "export", "manifests", "--dir", disks, "-f", file, "-o", "json")
		var m Manifests
		if r.code == exitcode.OK {
			if err := json.Unmarshal([]byte(r.out), &m); err != nil {
				t.Fatal(err)
			}
		}
		return &m, r
	}
	id := func(m *Manifests, id string) bool {
		for _, i := range append(m.Todos, m.Notes...) {
			if i.ID == id {
				return true
			}
		}
		return false
	}
	m, r := export(earlierScan(t, disks, func(s *scan.Scan) {
		s.Clusters[0].Kafka = &strimzi.Cluster{Kafka: strimzi.Kafka{Version: "4.2.0"}}
	}))
	if r.code != exitcode.OK || id(m, "storage-size") || id(m, "storage-class") || id(m, "kafka-version") || !id(m, "resource-known") {
		t.Fatalf("exit code %d: %s%s", r.code, r.err, r.out)
	}
	if got := object.Maps(m.Manifests[1].Object.Object, "spec", "storage", "volumes")[1]; got["size"] != "7Gi" || got["class"] != "fast" {
		t.Errorf("got %v", got)
	}
	// The claims are gone, their volumes Released; nothing was read then, so that the scan knows no cluster ID.
	m, r = export(earlierScan(t, disks, func(s *scan.Scan) {
		c := &s.Clusters[0]
		for i := range c.Volumes {
			c.Others = append(c.Others, volume.PersistentVolume{
				Name: "pv", ClaimName: c.Volumes[i].Claim.Name, Capacity: "8Gi", StorageClass: "slow",
			})
		}
		c.Volumes, c.ClusterID = nil, ""
	}))
	if r.code != exitcode.OK || !id(m, "size-of-volume") || id(m, "storage-size") || !strings.Contains(r.out, `"8Gi"`) {
		t.Errorf("exit code %d: %s%s", r.code, r.err, r.out)
	}
	_, r = export(earlierScan(t, disks, func(s *scan.Scan) { s.Clusters[0].ClusterID = "AAAAAAAAAAAAAAAAAAAAAA" }))
	if r.code != exitcode.Refused || !strings.Contains(r.err, "none of the 1 clusters in it") {
		t.Errorf("the scan of another cluster: exit code %d: %s", r.code, r.err)
	}
}

func TestWhatExportRefuses(t *testing.T) {
	t.Parallel()
	split := volumes.Unpack(t, volumes.SplitRoles)
	mixed := t.TempDir()
	for to, from := range map[string]string{
		"data-0-my-cluster-controller-3": split, "data-0-my-cluster-controller-4": volumes.Unpack(t, volumes.SplitRoles39),
	} {
		if err := os.CopyFS(filepath.Join(mixed, to), os.DirFS(filepath.Join(from, to))); err != nil {
			t.Fatal(err)
		}
	}
	torn := volumes.Unpack(t, volumes.SingleNode)
	corrupt(t, torn)
	unread := volumes.Unpack(t, volumes.SingleNode)
	if err := os.Symlink(split, filepath.Join(unread, "data-single-dual-role-1")); err != nil {
		t.Fatal(err)
	}
	renamed := t.TempDir()
	if err := os.CopyFS(filepath.Join(renamed, "disk"), os.DirFS(single)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		code exitcode.Code
		says string
	}{
		{"export manifests", exitcode.Usage, "name the folder"},
		{"export manifests --dir " + split + " --api-version v1alpha1", exitcode.Usage, "v1, v1beta2"},
		{"export manifests --dir " + split + " -f " + split, exitcode.Usage, "-f"},
		{"export manifests --dir " + mixed, exitcode.Refused, "do not agree on one cluster ID"},
		{"export manifests --dir " + t.TempDir(), exitcode.NotFound, "no Kafka volume"},
		{"export manifests --dir " + split + "/nothing", exitcode.NotFound, ""},
		{"export manifests --dir " + volumes.Unpack(t, volumes.ZooKeeper), exitcode.NotFound, "ZooKeeper"},
		{"export manifests --dir " + filepath.Join(split, "data-1-my-cluster-broker-0"), exitcode.NotFound, "no metadata log"},
		{"export manifests --dir " + renamed, exitcode.NotFound, "data-CLUSTER-POOL-NODE"},
		{"export manifests --dir " + torn, exitcode.Incomplete, "incomplete"},
		{"export manifests --dir " + unread, exitcode.Incomplete, "symbolic link"},
		{"export manifest", exitcode.Usage, "did you mean manifests"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			r := runOffline(t, "", strings.Fields(c.line)...)
			if r.code != c.code || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", r.code, c.code, r.err, c.says)
			}
			if whole := strings.Contains(r.out, "kind: Kafka\n"); whole != (c.code == exitcode.Incomplete) {
				t.Errorf("stdout %q", r.out)
			}
		})
	}
}

// corrupt breaks the second half of the metadata log of every volume, so that what is behind it cannot be read.
func corrupt(t *testing.T, disks string) {
	t.Helper()
	err := filepath.WalkDir(disks, func(name string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Base(filepath.Dir(name)) != "__cluster_metadata-0" || filepath.Ext(name) != ".log" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		data[len(strings.TrimRight(string(data), "\x00"))/2] ^= 0xff
		return os.WriteFile(name, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestManifestsFromClaims reads what was copied of claims: what they hold, and what they asked for, is known from the
// look that read them.
func TestManifestsFromClaims(t *testing.T) {
	t.Parallel()
	disks := volumes.Unpack(t, volumes.DualRole)
	whole, err := os.Open(earlierScan(t, disks, func(s *scan.Scan) {
		s.Clusters[0].Kafka = &strimzi.Cluster{Kafka: strimzi.Kafka{Status: strimzi.KafkaStatus{KafkaVersion: "4.2.0"}}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close() //nolint:errcheck // nothing was written
	seen, err := scan.Read(whole)
	if err != nil {
		t.Fatal(err)
	}
	claims := &claimSource{wanted: isMetadata, folder: t.TempDir(), seen: seen}
	for i := range seen.Clusters[0].Volumes {
		v := &seen.Clusters[0].Volumes[i]
		if err := claims.keep(t.Context(), v, os.DirFS(filepath.Join(disks, bare(v.Name)))); err != nil {
			t.Fatal(err)
		}
	}
	seen.Clusters[0].Volumes[0].Contents.Dirs[0].UsedBytes = 5 << 30 // topics' data is not copied
	o := &exportManifestsOptions{
		apiVersion: newChoice(strimzi.V1), source: volumeSource{claims: claims, dirs: []string{claims.folder}},
	}
	if err := o.source.open(false); err != nil {
		t.Fatal(err)
	}
	defer o.source.close()
	read, err := o.read()
	if err != nil {
		t.Fatal(err)
	}
	if got := read.input.Volumes[0].Contents.Dirs[0].UsedBytes; got != 5<<30 {
		t.Errorf("%d bytes are in use: that is what was copied of the claim, not what it holds", got)
	}
	if read.input.KafkaVersion != "4.2.0" || len(read.input.Claims) != 3 || read.input.Claims[0].Size != "7Gi" {
		t.Errorf("got version %q, claims %+v", read.input.KafkaVersion, read.input.Claims)
	}
}
