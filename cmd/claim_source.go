package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/group"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// claimSource reads claims for commands that look into volumes. A volume in a pod can be read for a moment only, so
// what the command needs of it is copied into a folder that is removed when the command ends.
type claimSource struct {
	read readFlags
	// wanted chooses the files to copy besides those that scan reads, by their paths on the volume.
	wanted func(name string) bool
	// needs refuses, before anything is read, what cannot be read of claims; it may be nil.
	needs func() error

	// listing keeps what is listed of each claim instead of copying any content.
	listing bool
	// released is --released.
	released bool

	folder string
	mu     sync.Mutex
	listed []openVolume
	// unread are claims that could not be read, or not whole.
	unread []string
	// seen is the look that the claims were read in; nil where none was.
	seen *scan.Scan
}

func (c *claimSource) addFlags(cmd *cobra.Command) {
	c.read.addFlags(cmd)
	cmd.Flags().BoolVar(&c.released, "released", false,
		"With kafka/NAME, read its volumes that no claim holds too: claims of a temporary name borrow them")
}

// isMetadata chooses the metadata log with its snapshots.
func isMetadata(name string) bool {
	_, ok := metadata.ParseName(name)
	return ok && (path.Base(path.Dir(name)) == metadata.Dir || path.Base(name) == logdir.BootstrapFile)
}

// isOffsets chooses the partitions that committed offsets are in.
func isOffsets(name string) bool {
	return strings.HasPrefix(path.Base(path.Dir(name)), group.Topic+"-") && strings.HasSuffix(name, ".log")
}

// resolve replaces pvc/NAME and kafka/NAME among paths by a folder with a folder for each claim. A path that exists
// here is a path.
func (c *claimSource) resolve(ctx context.Context, f *Factory, paths []string) ([]string, error) {
	var rest []string
	targets := scan.Targets{}
	for _, p := range paths {
		t, err := parseTarget(p)
		_, statErr := os.Stat(p)
		switch {
		case err != nil || statErr == nil:
			rest = append(rest, p)
		case t.Kind == targetKafka:
			targets.Clusters = append(targets.Clusters, t.Name)
		case t.Kind == targetClaim:
			targets.Claims = append(targets.Claims, t.Name)
		default:
			return nil, usagef("%q: this command takes kafka/NAME, pvc/NAME and paths", p)
		}
	}
	if err := c.mayBorrow(targets); err != nil {
		return nil, err
	}
	if len(targets.Clusters)+len(targets.Claims) == 0 {
		return rest, nil
	}
	if err := c.read.validate(); err != nil {
		return nil, usagef("%w", err)
	}
	if c.needs != nil {
		if err := c.needs(); err != nil {
			return nil, err
		}
	}
	if err := c.fetch(ctx, f, targets); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if c.listing {
		return rest, nil
	}
	return append(rest, c.folder), nil
}

// mayBorrow refuses --released where it would do nothing.
func (c *claimSource) mayBorrow(t scan.Targets) error {
	switch {
	case !c.released:
		return nil
	case len(t.Clusters) == 0 || len(t.Claims) > 0:
		return usagef("--released reads what no claim holds of a cluster: name that, and no claim, as kafka/NAME")
	}
	if err := c.read.mayBorrow(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// borrowedPrefix begins the folder of a volume that no claim holds. No claim's name has an underscore.
const borrowedPrefix = "pv_"

// copyName is the name of the folder with what was copied of a volume.
func copyName(v *volume.Volume) string {
	if name, borrowed := strings.CutPrefix(v.Name, "pv/"); borrowed {
		return borrowedPrefix + name
	}
	return strings.TrimPrefix(v.Name, "pvc/")
}

// title names a volume of a folder in output: a copy goes by the name of its claim, or of the volume that has none.
func (c *claimSource) title(folder, name string) string {
	if c == nil || c.folder == "" || folder != c.folder {
		return name
	}
	name = strings.TrimPrefix(name, "dir/")
	if volume, borrowed := strings.CutPrefix(name, borrowedPrefix); borrowed {
		return "pv/" + volume
	}
	return "pvc/" + name
}

// volumesOf are the volumes that were read, those that were borrowed among them.
func (c *claimSource) volumesOf() []*volume.Volume {
	var out []*volume.Volume
	if c.seen == nil {
		return nil
	}
	for i := range c.seen.Clusters {
		for _, list := range [][]volume.Volume{c.seen.Clusters[i].Volumes, c.seen.Clusters[i].Released} {
			for k := range list {
				out = append(out, &list[k])
			}
		}
	}
	return out
}

func (c *claimSource) fetch(ctx context.Context, f *Factory, targets scan.Targets) error {
	client, err := f.Kube()
	if err != nil {
		return err
	}
	operation, err := probe.NewOperation(f.Now(), rand.Reader)
	if err != nil {
		return err
	}
	opts, settle := f.lookOptions(operation, &c.read)
	defer settle()
	opts.Visit, opts.Released = c.keepListing, c.released
	if !c.listing {
		if c.folder, err = os.MkdirTemp("", "kafkarecover-claims-"); err != nil { // 0700
			return fmt.Errorf("make a folder for what is read: %w", err)
		}
		opts.Visit = c.keep
	}
	targets.Namespace = client.Namespace()
	seen, err := scan.Kubernetes(ctx, client, targets, f.Now(), opts)
	if err != nil {
		return lookError(err)
	}
	c.seen = seen
	for _, v := range c.volumesOf() {
		if v.State != volume.Read {
			c.unread = append(c.unread, fmt.Sprintf("%s: %s", v.Name, v.Reason))
		}
	}
	return nil
}

// seenAs is the volume of that name that was read; nil where there is none.
func (c *claimSource) seenAs(name string) *volume.Volume {
	for _, v := range c.volumesOf() {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// claimOf names a volume by the claim that it had where none holds it: what is written of it is about that claim.
func (c *claimSource) claimOf(name string) string {
	if v := c.seenAs(name); v != nil && v.Claim == nil && v.PV != nil && v.PV.ClaimName != "" {
		return "pvc/" + v.PV.ClaimName
	}
	return name
}

// oneVolumeEach refuses where two volumes that were read are, or were, of one claim: nothing is chosen among them.
func (c *claimSource) oneVolumeEach() error {
	of := map[string]string{}
	for _, v := range c.volumesOf() {
		claim := c.claimOf(v.Name)
		if other := of[claim]; other != "" && v.Contents != nil {
			return exitcode.With(exitcode.Refused, fmt.Errorf("tell whose data it is: %s and %s are both volumes of %s, and "+
				"none is chosen for you; leave --released out, or name with --dir copies of the volumes that you mean",
				other, v.Name, claim))
		}
		if v.Contents != nil {
			of[claim] = v.Name
		}
	}
	return nil
}

// keepListing keeps names and attributes; contents cannot be read once the claim was let go.
func (c *claimSource) keepListing(_ context.Context, v *volume.Volume, fsys fs.FS) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed = slices.DeleteFunc(c.listed, func(o openVolume) bool { return o.Name == v.Name })
	c.listed = append(c.listed, openVolume{Name: v.Name, fsys: fsys})
	slices.SortFunc(c.listed, func(a, b openVolume) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// keep copies what is wanted of one volume. It may be called for several volumes at once, and again for one.
func (c *claimSource) keep(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
	dir := filepath.Join(c.folder, copyName(v))
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("copy from %s: %w", v.Name, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("copy from %s: %w", v.Name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("copy from %s: %w", v.Name, err)
	}
	defer root.Close() //nolint:errcheck // every file was closed
	return fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || name == ".":
			return nil //nolint:nilerr // the look tells what it could not list
		case e.IsDir():
			return root.MkdirAll(filepath.FromSlash(name), 0o700)
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // it went away, or is none to read
		}
		if logdir.Wanted(name, info.Size()).None() && !c.wanted(name) {
			return nil
		}
		return copyInto(root, fsys, name)
	})
}

func copyInto(root *os.Root, fsys fs.FS, name string) error {
	in, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted by a running Kafka since it was listed
	}
	if err != nil {
		return fmt.Errorf("copy %q: %w", name, err)
	}
	defer in.Close() //nolint:errcheck // nothing was written
	out, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy %q: %w", name, err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %q: %w", name, err)
	}
	return nil
}

// close removes the copies.
func (c *claimSource) close() error {
	if c.folder == "" {
		return nil
	}
	if err := os.RemoveAll(c.folder); err != nil {
		return fmt.Errorf("remove what was copied from claims: %w", err)
	}
	return nil
}
