package scan

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// A directory that is left out must not count in anything, but whoever visits the volume must still find it.
func TestWhatIsSetAsideIsLeftOutOfTheVolumeAndCanBeVisited(t *testing.T) {
	t.Parallel()
	const name, dir = "dir/data-0-my-cluster-broker-0", "kafka-log7"
	root := filepath.Join(volumes.Unpack(t, volumes.SplitRoles), "data-0-my-cluster-broker-0")
	if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
		t.Fatal(err)
	}
	meta := []byte("cluster.id=nj2gpqbHSfmvw-PQucA3Jg\nnode.id=7\nversion=1\n")
	if err := os.WriteFile(filepath.Join(root, dir, "meta.properties"), meta, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, out := range []bool{false, true} {
		v := volume.Volume{Name: name}
		opts := Options{Visit: func(_ context.Context, _ *volume.Volume, fsys fs.FS) error {
			_, err := fs.Stat(fsys, dir+"/meta.properties")
			return err
		}}
		if out {
			opts.SetAside = map[string][]string{name: {dir}, "dir/another": {"kafka-log0"}}
		}
		if err := readVolume(t.Context(), &v, viaDir, os.DirFS(root), opts); err != nil {
			t.Fatal(err)
		}
		var dirs []string
		for i := range v.Contents.Dirs {
			dirs = append(dirs, v.Contents.Dirs[i].Path)
		}
		if got := !slices.Contains(dirs, dir); got != out || !slices.Contains(dirs, "kafka-log0") {
			t.Errorf("left out %t: the volume is said to hold %q", out, dirs)
		}
		if got := slices.Contains(v.Contents.Other, dir); got != out {
			t.Errorf("left out %t: it lies on the volume beside them: %q", out, v.Contents.Other)
		}
		if v.Image == nil {
			t.Error("the metadata log is that of the directory that stays")
		}
	}
}
