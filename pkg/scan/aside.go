package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// leaveOut takes log directories out of what was read of a volume, as if they had been renamed already.
func leaveOut(c *logdir.Contents, dirs []string) {
	c.Dirs = slices.DeleteFunc(c.Dirs, func(d logdir.LogDir) bool {
		gone := slices.Contains(dirs, d.Path)
		if gone {
			c.Other = append(c.Other, d.Path)
		}
		return gone
	})
}

// Renaming names a directory at the root of a claim's volume, and what it is to be called.
type Renaming struct {
	Namespace, Cluster, Claim string
	From, To                  string
	// Check looks at the directory before and after, under the name it has then; its error before stops the renaming.
	Check func(fsys fs.FS, dir string) error
}

// A directory that is renamed holds what formatting writes, and at most the index files of an empty metadata log,
// which Kafka preallocates with 10 MiB each.
const (
	asideFileBytes   = 32 << 20
	asideVolumeBytes = 128 << 20
)

// ErrInUse says that a pod uses a claim that is to be written to.
var ErrInUse = errors.New("a pod uses the claim")

// Rename renames a directory on a claim's volume through a temporary pod that mounts it writable. It is refused while
// any pod uses the claim. The pod is gone when Rename returns, whatever happened.
func Rename(ctx context.Context, client *kube.Client, n Renaming, opts Options) error {
	opts = opts.withDefaults()
	live, err := CollectNamed(ctx, client, n.Namespace, Named{Cluster: n.Cluster})
	if err != nil {
		return err
	}
	c := live.pick(n.Cluster)
	r := claimReader{client: client, opts: opts, live: live, cluster: c}
	i := slices.IndexFunc(c.Volumes, func(v volume.Volume) bool { return v.Claim.Name == n.Claim })
	if i < 0 {
		return &NoClaimError{Namespace: n.Namespace, Claim: n.Claim}
	}
	v := &c.Volumes[i]
	if len(v.Claim.UsedBy) > 0 {
		return fmt.Errorf("rename on claim %q: %w: pod %q", n.Claim, ErrInUse, v.Claim.UsedBy[0].Name)
	}
	image, err := probe.ChooseImage(ctx, client, imageOffers(opts.Image, c.Kafka, live), strimzi.IsKafkaImage)
	if err != nil {
		return err
	}
	opts.OnImage(image)
	pool := ""
	if v.Slot != nil {
		pool = v.Slot.Pool
	}
	needs, err := needsOf(c.Kafka, pool)
	if err != nil {
		return err
	}
	needs.PullSecrets = merge(needs.PullSecrets, image.PullSecrets)
	req := r.request(needs, image.Image)
	req.Claims = []string{n.Claim}
	req.Wanted = func(name string, _ int64) bool {
		return strings.HasPrefix(name, n.From+"/") || strings.HasPrefix(name, n.To+"/")
	}
	req.Limits = probe.DefaultLimits()
	req.Limits.FileBytes, req.Limits.VolumeBytes = asideFileBytes, asideVolumeBytes
	gone := opts.UnderWay(opts.Operation, n.Namespace)
	err = probe.Rename(ctx, client, req, probe.Renaming{From: n.From, To: n.To, Check: n.Check})
	if probe.LeftBehind(err) {
		return &LeftBehindError{err} // what was under way stays announced
	}
	gone()
	return err
}
