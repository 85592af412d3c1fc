package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestOnlyWhatIsWantedOfAClaimIsCopied(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"kafka-log1/meta.properties":                                                 {Data: []byte("version=1")},
		"kafka-log1/bootstrap.checkpoint":                                            {Data: []byte("b")},
		"kafka-log1/__cluster_metadata-0/00000000000000000000.log":                   {Data: []byte("log")},
		"kafka-log1/__cluster_metadata-0/00000000000000000000.index":                 {Data: []byte("index")},
		"kafka-log1/__consumer_offsets-3/00000000000000000000.log":                   {Data: []byte("offsets")},
		"kafka-log1/orders-0/00000000000000000000.log":                               {Data: []byte("orders")},
		"kafka-log1/orders-0/partition.metadata":                                     {Data: []byte("version: 0")},
		"kafka-log1/__cluster_metadata-0/00000000000000000009-0000000001.checkpoint": {Data: []byte("snapshot")},
	}
	for name, c := range map[string]struct {
		wanted func(string) bool
		want   string
	}{
		"metadata": {isMetadata, "00000000000000000000.log 00000000000000000009-0000000001.checkpoint bootstrap.checkpoint"},
		"offsets":  {isOffsets, "00000000000000000000.log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := claimSource{wanted: func(name string) bool { return c.wanted(name) }, folder: t.TempDir()}
			v := &volume.Volume{Name: "pvc/data-0-a-b-1"}
			for range 2 { // read again, the second copy counts
				if err := s.keep(context.Background(), v, fsys); err != nil {
					t.Fatal(err)
				}
			}
			copied := fileBytes(t, filepath.Join(s.folder, "data-0-a-b-1"))
			var extra []string
			for path, data := range copied {
				if original := fsys[strings.TrimPrefix(path, "/")]; original == nil || string(original.Data) != data {
					t.Errorf("%s has %q", path, data)
				}
				if c.wanted(strings.TrimPrefix(path, "/")) {
					extra = append(extra, filepath.Base(path))
				}
			}
			slices.Sort(extra)
			if got := strings.Join(extra, " "); got != c.want {
				t.Errorf("copied %q, want %q", got, c.want)
			}
			if _, there := copied["/kafka-log1/orders-0/00000000000000000000.log"]; there {
				t.Error("data of a topic was copied")
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(s.folder); !os.IsNotExist(err) {
				t.Errorf("the copies are left: %v", err)
			}
		})
	}
}

func TestWhatIsListedOfClaimsIsNotCopied(t *testing.T) {
	t.Parallel()
	first := fstest.MapFS{"kafka-log1/meta.properties": {Data: []byte("version=1"), Mode: 0o640}}
	again := fstest.MapFS{"kafka-log1/meta.properties": {Data: []byte("version=1\n"), Mode: 0o640}}
	var s volumeSource
	s.claims = &claimSource{listing: true}
	for _, v := range []struct {
		name string
		fsys fstest.MapFS
	}{{"pvc/data-0-a-b-2", first}, {"pvc/data-0-a-b-1", first}, {"pvc/data-0-a-b-2", again}} {
		if err := s.claims.keepListing(context.Background(), &volume.Volume{Name: v.name}, v.fsys); err != nil {
			t.Fatal(err)
		}
	}
	s.volumes = s.claims.listed
	o := volumeOptions{source: s}
	for arg, want := range map[string]string{
		"data-0-a-b-1:kafka-log1/meta.properties":     "pvc/data-0-a-b-1/kafka-log1/meta.properties 9",
		"pvc/data-0-a-b-2:kafka-log1/meta.properties": "pvc/data-0-a-b-2/kafka-log1/meta.properties 10",
	} {
		at, err := o.one(arg)
		if err != nil {
			t.Errorf("%s: %v", arg, err)
			continue
		}
		if got := fmt.Sprint(at.Title(), " ", at.info.Size()); got != want {
			t.Errorf("%s: got %q, want %q", arg, got, want)
		}
	}
	if _, err := o.one("kafka-log1/meta.properties"); exitcode.Of(err) != exitcode.Refused ||
		!strings.HasSuffix(err.Error(), "\ndata-0-a-b-1:kafka-log1/meta.properties\ndata-0-a-b-2:kafka-log1/meta.properties") {
		t.Errorf("on two claims: %v", err)
	}
}

func TestACopyGoesByTheNameOfItsClaim(t *testing.T) {
	t.Parallel()
	copies := &claimSource{folder: "/tmp/copies"}
	const claim = "data-0-a-b-1"
	for _, c := range []struct {
		of                 *claimSource
		folder, name, want string
	}{
		{copies, "/tmp/copies", copyName(&volume.Volume{Name: "pvc/" + claim}), "pvc/" + claim},
		{copies, "/tmp/copies", copyName(&volume.Volume{Name: "pv/" + claim}), "pv/" + claim},
		{copies, "/mnt/volumes", claim, "dir/" + claim},
		{&claimSource{}, "", claim, "dir/" + claim},
		{nil, "/tmp/copies", claim, "dir/" + claim},
	} {
		if strings.Contains(c.name, "/") {
			t.Errorf("%q is no folder's name", c.name)
		}
		if got := c.of.title(c.folder, "dir/"+c.name); got != c.want {
			t.Errorf("%+v, %s: got %q, want %q", c.of, c.folder, got, c.want)
		}
	}
}

func TestWhatIsBorrowedIsOfACluster(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"export manifests --dir " + t.TempDir() + " --released", "metadata quorum pvc/data-0 --released",
		"metadata quorum kafka/a pvc/data-0 --released", "metadata quorum kafka/a --released --via exec",
	} {
		if r := runOffline(t, "", strings.Fields(line)...); r.code != exitcode.Usage || !strings.Contains(r.err, "--released") {
			t.Errorf("%s: code %d, %q", line, r.code, r.err)
		}
	}
}

// In what is written a volume that no claim holds goes by the claim that it had: its pool's name may be nowhere else.
func TestABorrowedVolumeStandsForTheClaimThatItHad(t *testing.T) {
	t.Parallel()
	pv := func(name, claim string) volume.Volume {
		return volume.Volume{Name: "pv/" + name, PV: &volume.PersistentVolume{Name: name, ClaimName: claim}}
	}
	live := volume.Volume{Name: "pvc/data-0-a-b-1", Claim: &volume.Claim{Name: "data-0-a-b-1"}}
	live.Contents = &logdir.Contents{}
	seen := func(released ...volume.Volume) *claimSource {
		for i := range released {
			released[i].Contents = &logdir.Contents{}
		}
		return &claimSource{seen: &scan.Scan{Clusters: []scan.Cluster{{Volumes: []volume.Volume{live}, Released: released}}}}
	}
	o := seen(pv("x", "data-0-a-b-2"), pv("y", ""))
	for name, want := range map[string]string{
		"pvc/data-0-a-b-1": "pvc/data-0-a-b-1", "pv/x": "pvc/data-0-a-b-2", "pv/y": "pv/y", "dir/z": "dir/z",
	} {
		if got := o.claimOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if err := o.oneVolumeEach(); err != nil {
		t.Error(err)
	}
	for _, twice := range []*claimSource{seen(pv("x", "data-0-a-b-1")), seen(pv("x", "data-0-a-b-2"), pv("z", "data-0-a-b-2"))} {
		err := twice.oneVolumeEach()
		if exitcode.Of(err) != exitcode.Refused || !strings.Contains(err.Error(), "pv/") || !strings.Contains(err.Error(), "--dir") {
			t.Errorf("two volumes of one claim: got %v", err)
		}
	}
}

func TestClaimsOfAClusterThatIsNotThere(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no-such-kubeconfig")
	for _, line := range []string{
		"metadata summary pvc/data-0", "metadata quorum kafka/a", "metadata verify --dir kafka/a",
		"metadata ls pvc/data-0 image",
		"metadata groups --dir kafka/a", "partition records --dir pvc/a orders-0", "partition verify --dir kafka/a orders",
		"volume cat --dir pvc/a kafka-log1/meta.properties", "volume ls --dir pvc/a", "volume get --dir pvc/a kafka-log1 /nowhere/x",
		"storage info --dir pvc/data-0", "metadata diff pvc/a pvc/b", "metadata records pvc/data-0",
	} {
		r := runOffline(t, "", append(strings.Fields(line), "--kubeconfig", missing)...)
		if r.code == exitcode.OK || r.code == exitcode.NotFound || !strings.Contains(r.err, "no-such-kubeconfig") {
			t.Errorf("%s: code %d, %q", line, r.code, r.err)
		}
	}
	if r := runOffline(t, "", "partition", "ls", "--dir", "pvc/x"); r.code != exitcode.Usage ||
		!strings.Contains(r.err, "name the topics") {
		t.Errorf("whole claims: code %d, %q", r.code, r.err)
	}
	if r := runOffline(t, "", "metadata", "summary", "pv/x"); r.code != exitcode.Usage {
		t.Errorf("a PersistentVolume: code %d, %q", r.code, r.err)
	}
	if r := runOffline(t, "", "metadata", "summary", "pvc/x", "--read-timeout", "0s"); r.code != exitcode.Usage {
		t.Errorf("no time to read: code %d, %q", r.code, r.err)
	}
}
