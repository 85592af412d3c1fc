package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Rebind judges the cluster as it will be once its claims hold the volumes with its data: those that no claim holds
// take the places of those that claims hold now, which are displaced. held says what was measured on the latter, by the
// volume's name. What cannot be told apart stays as it is, and the rules say why.
func (c *Cluster) Rebind(wanted string, excluded map[string]bool, held map[string]Held) error {
	kafka := *c.Kafka
	kafka.Pools = slices.Clone(c.Kafka.Pools)
	c.Kafka = &kafka
	c.adoptLeft()
	result, err := placement.Rebind(c.Kafka, slices.Concat(c.Volumes, c.Released), wanted, excluded)
	if err != nil {
		return err
	}
	c.Placements, c.LetGo = result.Placements, result.LetGo
	now := make([]volume.Volume, 0, len(c.Volumes))
	for _, v := range slices.Concat(c.Volumes, c.Released) {
		if c.displace(&v, held) || c.unfinished(&v) {
			continue
		}
		i := -1
		if v.PV != nil {
			i = slices.IndexFunc(c.Placements, func(p placement.Placement) bool { return p.Volume == v.PV.Name })
		}
		if i >= 0 {
			v = c.Placements[i].As(v, c.Namespace)
		}
		if v.Claim != nil {
			now = append(now, v)
		}
	}
	c.Released = slices.DeleteFunc(c.Released, func(v volume.Volume) bool { return c.placed(v.PV.Name) })
	c.Others = slices.DeleteFunc(slices.Clone(c.Others), func(pv volume.PersistentVolume) bool {
		return c.placed(pv.Name)
	})
	c.Volumes = now
	volume.Sort(c.Volumes)
	return nil
}

// adoptLeft has a cluster that is to be created know what is left of one whose Kafka resource is gone: pods that run
// on, and the node IDs of pools that stay, which count as those of a cluster that is there.
func (c *Cluster) adoptLeft() {
	if !c.Planned || c.left == nil {
		return
	}
	c.Kafka.PodSets = c.left.PodSets
	for i := range c.Kafka.Pools {
		if p := c.left.Pool(c.Kafka.Pools[i].Name); p != nil {
			c.Kafka.Pools[i].Status.NodeIDs, c.Kafka.Pools[i].Status.Roles = p.Status.NodeIDs, p.Status.Roles
		}
	}
}

// Vacate judges the cluster as it will be once the claims are gone that are in the places of nodes that are lost for
// good, and hold nothing. A claim of which that is not certain stays, and the rules refuse it.
func (c *Cluster) Vacate(lost []string) {
	if c.Kafka == nil || len(lost) == 0 {
		return
	}
	claims, err := c.Kafka.LostClaims(lost)
	if err != nil {
		return // what is no claim of the cluster is no finding: restore says so
	}
	id, _, _ := finding.AgreedClusterID(slices.Concat(c.Volumes, c.Released))
	c.LetGo = placement.Vacate(claims, c.Volumes, id, c.VolumesForbidden)
	c.Volumes = slices.DeleteFunc(slices.Clone(c.Volumes), func(v volume.Volume) bool { return c.displace(&v, nil) })
}

func (c *Cluster) placed(pv string) bool {
	return slices.ContainsFunc(c.Placements, func(p placement.Placement) bool { return p.Volume == pv })
}

// displace takes a volume that will lose its claim to another one out of the cluster as it will be, or a claim that
// goes and has none.
func (c *Cluster) displace(v *volume.Volume, held map[string]Held) bool {
	if v.Claim == nil {
		return false
	}
	i := slices.IndexFunc(c.LetGo, func(l placement.LetGo) bool { return l.Claim == v.Claim.Name })
	switch {
	case i < 0 || c.LetGo[i].Volume != "" && !c.LetGo[i].Displaced && !c.LetGo[i].Gone:
		return false
	case !c.LetGo[i].Displaced:
		return true
	}
	h := held[v.Name]
	c.Displaced = append(c.Displaced, finding.Displaced{Volume: *v, Held: h.Partitions, Problem: h.Problem})
	return true
}

// unfinished tells whether a claim is one that was made for the volume placed there and is not bound yet: an earlier
// run came no further.
func (c *Cluster) unfinished(v *volume.Volume) bool {
	return v.Claim != nil && v.Claim.Phase != volume.PhaseBound &&
		slices.ContainsFunc(c.Placements, func(p placement.Placement) bool {
			return !p.Exists && p.Claim == v.Claim.Name && p.Volume == v.Claim.Volume
		})
}

// wantedOthers are the volumes that no claim holds, without those that lost theirs to others on purpose.
func (c *Cluster) wantedOthers() []volume.PersistentVolume {
	return slices.DeleteFunc(slices.Clone(c.Others), func(pv volume.PersistentVolume) bool { return pv.DisplacedBy != "" })
}

// Held is what the partitions on a volume have accepted.
type Held struct {
	Partitions []finding.Held
	// Problem says why not all of it is known; empty where it is.
	Problem string
}

// heldReader measures what claims hold while it is read.
type heldReader struct {
	mu   sync.Mutex
	held map[string]Held
}

// visiting returns a Visit that measures the volumes of claims and then calls another, which may be nil.
func (h *heldReader) visiting(then Visit) Visit {
	return func(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
		if v.Claim != nil {
			held := HeldOn(v.Contents, fsys)
			h.mu.Lock()
			h.held[v.Name] = held
			h.mu.Unlock()
		}
		if then == nil {
			return nil
		}
		return then(ctx, v, fsys)
	}
}

// highWatermarks is the file in which a broker notes, every few seconds and when it stops, how far each partition is
// replicated (ReplicaManager.HighWatermarkFilename).
const highWatermarks = "replication-offset-checkpoint"

// maxHighWatermarks bounds that file: some hundred thousand partitions.
const maxHighWatermarks = 16 << 20

// HeldOn tells what the partitions on a volume have accepted, by the sizes of their segments and the high watermarks
// that Kafka has noted. Directories that Kafka has given up (-delete, -stray) count like others.
func HeldOn(contents *logdir.Contents, fsys fs.FS) Held {
	var out Held
	for i := range contents.Dirs {
		d := &contents.Dirs[i]
		watermarks, err := readHighWatermarks(fsys, path.Join(d.Path, highWatermarks))
		out.note(err)
		for _, p := range d.Partitions {
			h := finding.Held{
				Dir: path.Join(d.Path, p.Dir), Topic: p.Topic, TopicID: p.TopicID, End: -1,
			}
			segments, err := partition.Segments(fsys, h.Dir)
			out.note(err)
			for n, s := range segments {
				h.Bytes += s.Size
				if n == 0 {
					h.Start = s.BaseOffset
				}
			}
			if end, noted := watermarks[p.Topic+"-"+strconv.Itoa(int(p.Partition))]; noted {
				h.End = end
			}
			out.Partitions = append(out.Partitions, h)
		}
	}
	return out
}

func (h *Held) note(err error) {
	if err != nil && h.Problem == "" {
		h.Problem = logdir.EscapeText(err.Error())
	}
}

// readHighWatermarks reads a checkpoint of offsets, by TOPIC-PARTITION; there is none where no broker has run.
func readHighWatermarks(fsys fs.FS, name string) (map[string]int64, error) {
	file, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing was noted
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxHighWatermarks)) // what is cut off does not have all its entries
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	offsets, err := logdir.ParseOffsetCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("read %q: it is no checkpoint of offsets: %w", name, err)
	}
	return offsets, nil
}
