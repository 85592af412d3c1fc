package scan

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Folder looks at the volumes of a folder, which are taken for those of one cluster. No API server is asked for
// anything. The error wraps fs.ErrNotExist or volume.ErrNoVolume where there is nothing to look at.
func Folder(ctx context.Context, path string, now time.Time, opts Options) (*Scan, error) {
	opts = opts.withDefaults()
	folder, err := volume.OpenFolder(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }() // nothing was written
	s := &Scan{TypeMeta: output.Meta("Scan"), Time: now.UTC(), Dir: path, Left: folder.Left}
	c := Cluster{Dir: path, Name: commonCluster(folder.Volumes), Volumes: folder.Volumes}
	var deep deepReader
	if opts.Deep {
		opts.Visit = deep.visiting(opts.Visit)
	}
	if err := readFolder(ctx, folder, opts); err != nil {
		return nil, err
	}
	if opts.Deep {
		if c.Deep, err = deep.judge(); err != nil {
			return nil, err
		}
	}
	c.judge(opts)
	s.Clusters = []Cluster{c}
	return s, nil
}

// readFolder reads the volumes side by side: they may be on disks of their own.
func readFolder(ctx context.Context, folder *volume.Folder, opts Options) error {
	if opts.Parallel <= 0 {
		opts.Parallel = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Parallel)
	for i := range folder.Volumes {
		v := &folder.Volumes[i]
		if v.State == volume.Unread {
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			fsys, err := folder.Open(v.Name)
			if err != nil {
				return err
			}
			return readVolume(ctx, v, viaDir, fsys, opts)
		})
	}
	return group.Wait()
}

// commonCluster is the cluster that the folders' names say, where they say one.
func commonCluster(volumes []volume.Volume) string {
	name := ""
	for i := range volumes {
		s := volumes[i].Slot
		switch {
		case s == nil || s.Cluster == "":
		case name == "":
			name = s.Cluster
		case name != s.Cluster:
			return ""
		}
	}
	return name
}
