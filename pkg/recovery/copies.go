package recovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	copiesDir = "copies"
	// readCopiesDir is where they are until it is known which claim each volume is for, and that nothing has changed.
	readCopiesDir = "copies-as-read"
	checksumFile  = "SHA256SUMS"
	metadataDir   = "__cluster_metadata-0"
)

// copiedFiles are what is copied of a log directory beside its metadata log.
func copiedFiles() []string { return []string{"meta.properties", "bootstrap.checkpoint"} }

// stepReread has the volumes judged once more, now that nobody can start a pod with a new configuration, and compares
// them with what was judged. They are read for it, and the controllers' metadata copied on the way, unless it is proven
// that nothing has changed on them since they were read, when that was copied too.
func (r *run) stepReread(ctx context.Context) (string, error) {
	doubt := ""
	if r.vigil != nil {
		note, why, err := r.stillAsRead(ctx)
		if err = errors.Join(err, r.endVigil()); err != nil || why == "" {
			return note, err
		}
		doubt = ", read once more because " + why
		if err := r.readersGone(ctx); err != nil { // of a volume that was not among those that are known
			return "", err
		}
	}
	c := newCopier(newFolder(filepath.Join(r.result.Folder, copiesDir)))
	controllers := controllerClaims(r.before.Volumes, r.excluded)
	req := r.rereadRequest()
	req.Visit = func(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
		if v.Claim == nil || !slices.Contains(controllers, v.Claim.Name) {
			return nil
		}
		return c.copyVolume(ctx, v.Claim.Name, fsys)
	}
	if _, err := r.judgeAgain(ctx, req); err != nil {
		return "", err
	}
	if err := c.finish(); err != nil {
		return "", err
	}
	return fmt.Sprintf("as judged%s; %s", doubt, c.text()), nil
}

func (r *run) rereadRequest() LookRequest {
	return LookRequest{
		Namespace: r.Namespace, Name: r.Name, Depth: Volumes, Excluded: r.excluded, ClusterID: r.ClusterID,
		Lost: r.Lost, Leave: func(wait func(context.Context) error) { r.leaving = wait },
	}
}

// judgeAgain looks once more, and compares with what was judged.
func (r *run) judgeAgain(ctx context.Context, req LookRequest) (*Observation, error) {
	seen, err := r.Look(ctx, req)
	if err != nil {
		return nil, err
	}
	if seen.Cluster == nil || seen.Cluster.Kafka.UID != r.pause.uid {
		return nil, errReplaced
	}
	return seen, r.sameAsJudged(seen)
}

// newFolder returns the path, or where there is something already, of a run that died, the first of path-2, path-3 …
// that is free.
func newFolder(path string) string {
	free := path
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); err != nil {
			return free
		}
		free = fmt.Sprintf("%s-%d", path, n)
	}
}

// sameAsJudged refuses when a volume no longer says what the decision was based on. A metadata log that has grown is no
// difference: a node may have been running when it was judged.
func (r *run) sameAsJudged(seen *Observation) error {
	if d := finding.Decide(seen.Findings, r.Accept); d.Refused() {
		r.result.Refusals = d.Refusals
		return fmt.Errorf("judge the volumes again while paused: %s: %s", d.Refusals[0].Rule, d.Refusals[0].Message)
	}
	now := baselineOf(r.plan.ClusterID, seen.Volumes, r.excluded)
	checks := []Check{
		r.base.checkDirectories(now, nil), r.base.checkTopics(now, nil), r.base.checkStrays(now, nil),
	}
	if err := failedChecks(checks); err != nil {
		return fmt.Errorf("compare the volumes with what was judged: %w", err)
	}
	for key := range r.base.directories {
		if _, still := now.directories[key]; !still {
			return fmt.Errorf("compare the volumes with what was judged: log directory %q is gone", key)
		}
	}
	return nil
}

// copier writes files of volumes into the operation's folder. It is called for several volumes at once.
type copier struct {
	root string

	mu    sync.Mutex
	sums  map[string]string // path below root → SHA-256
	bytes int64
}

func newCopier(root string) *copier { return &copier{root: root, sums: map[string]string{}} }

func (c *copier) text() string {
	return fmt.Sprintf("%d files copied, %d bytes, into %s", len(c.sums), c.bytes, c.root)
}

// copyVolume copies the metadata of a volume into a folder of a name.
func (c *copier) copyVolume(ctx context.Context, name string, fsys fs.FS) error {
	dirs, err := logDirs(fsys)
	if err != nil {
		return fmt.Errorf("copy metadata of %q: %w", name, err)
	}
	for _, dir := range dirs {
		for _, file := range copiedFiles() {
			if err := c.copyFile(name, fsys, path.Join(dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("copy metadata of %q: %w", name, err)
			}
		}
		if err := c.copyTree(ctx, name, fsys, path.Join(dir, metadataDir)); err != nil {
			return fmt.Errorf("copy metadata of %q: %w", name, err)
		}
	}
	return nil
}

// logDirs are the directories that hold a meta.properties or a metadata log: the volume's root or one level below.
func logDirs(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	dirs := []string{"."}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "kafka-log") {
			dirs = append(dirs, e.Name())
		}
	}
	return dirs, nil
}

func (c *copier) copyTree(ctx context.Context, to string, fsys fs.FS, root string) error {
	entries, err := fs.ReadDir(fsys, root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.Type().IsRegular() || rebuilt(e.Name()) {
			continue
		}
		if err := c.copyFile(to, fsys, path.Join(root, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// rebuilt tells whether Kafka makes a file again from the log where it is missing (LogLoader: indexes and the state of
// producers). Indexes are as large as Kafka may let them grow, 10 MiB each, and filled with nothing.
func rebuilt(name string) bool {
	return slices.Contains([]string{".index", ".timeindex", ".txnindex", ".snapshot"}, path.Ext(name))
}

// copyFile copies one file, reads the copy back and compares the checksums.
func (c *copier) copyFile(to string, fsys fs.FS, name string) error {
	source, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	below := filepath.Join(to, filepath.FromSlash(name))
	if !filepath.IsLocal(below) {
		return fmt.Errorf("%q: %w", name, errOutside)
	}
	target := filepath.Join(c.root, below)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	sum, size, err := writeSummed(target, source)
	if err != nil {
		return err
	}
	back, err := os.Open(target)
	if err != nil {
		return err
	}
	defer func() { _ = back.Close() }()
	check := sha256.New()
	if _, err := io.Copy(check, back); err != nil {
		return err
	}
	if !bytes.Equal(check.Sum(nil), sum) {
		return fmt.Errorf("%q: %w", target, errCopyDiffers)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sums[filepath.ToSlash(below)] = hex.EncodeToString(sum)
	c.bytes += size
	return nil
}

var (
	errOutside     = errors.New("the name leads out of the operation's folder")
	errCopyDiffers = errors.New("the copy read back differs from what was read from the volume")
)

func writeSummed(target string, source io.Reader) (sum []byte, size int64, err error) {
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	hash := sha256.New()
	size, err = io.Copy(io.MultiWriter(out, hash), source)
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return hash.Sum(nil), size, err
}

// has tells whether something was copied into a folder of that name.
func (c *copier) has(name string) bool {
	for below := range c.sums {
		if strings.HasPrefix(below, name+"/") {
			return true
		}
	}
	return false
}

// take makes its own what was copied of volumes under their own names, under the names of their claims.
func (c *copier) take(read *copier, volumes []volume.Volume) error {
	if err := os.MkdirAll(c.root, 0o700); err != nil {
		return fmt.Errorf("keep the copied metadata: %w", err)
	}
	for i := range volumes {
		v := &volumes[i]
		if !v.HoldsMetadata() {
			continue
		}
		if err := os.Rename(filepath.Join(read.root, v.PV.Name), filepath.Join(c.root, v.Claim.Name)); err != nil {
			return fmt.Errorf("keep the copied metadata of %s: %w", v.Name, err)
		}
		for name, sum := range read.sums {
			if below, of := strings.CutPrefix(name, v.PV.Name+"/"); of {
				c.sums[v.Claim.Name+"/"+below] = sum
			}
		}
	}
	c.bytes = read.bytes
	return c.finish()
}

// finish writes the checksums, in the form `sha256sum -c` reads.
func (c *copier) finish() error {
	if len(c.sums) == 0 {
		return fmt.Errorf("copy metadata: %w", errNothingCopied)
	}
	names := sortedKeys(c.sums)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s  %s\n", c.sums[name], name)
	}
	if err := os.WriteFile(filepath.Join(c.root, checksumFile), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write checksums: %w", err)
	}
	return nil
}

var errNothingCopied = errors.New("no volume with a metadata log was read")
