package scan

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// readVolume reads what is on a volume into v, wherever its files come from: a folder, a temporary pod or a running
// one. Whoever wants to see the volume too does so while it can be read, with what is left out of v.
func readVolume(ctx context.Context, v *volume.Volume, via string, fsys fs.FS, opts Options) error {
	v.Via, v.State, v.Reason = via, volume.Unread, ""
	v.Contents, v.Image, v.Topics, v.MetadataVersion = nil, nil, -1, 0
	contents, err := logdir.Read(fsys, logdir.Options{AnyName: ofSet(v)})
	if err != nil {
		v.Reason = err.Error()
		return nil //nolint:nilerr // the volume says it
	}
	leaveOut(contents, opts.SetAside[v.Name])
	v.Contents, v.State = contents, volume.Read
	if d := metadataDir(v); d != nil {
		replay(v, d, fsys, opts.Lost)
	}
	if slices.ContainsFunc(contents.AllProblems(), func(p logdir.Problem) bool { return !cutOffAtStart(contents, p) }) {
		v.State, v.Reason = volume.Incomplete, firstProblem(contents)
	}
	if opts.Visit == nil {
		return nil
	}
	return opts.Visit(ctx, v, fsys)
}

// cutOffAtStart tells whether a problem is an append to the metadata log that was never finished. Kafka cuts it off
// when it starts, so that all that counts was read.
func cutOffAtStart(c *logdir.Contents, p logdir.Problem) bool {
	for i := range c.Dirs {
		d := &c.Dirs[i]
		if d.Metadata != nil && d.Metadata.EndKnown && strings.HasSuffix(p.Path, ".log") &&
			path.Dir(p.Path) == path.Join(d.Path, metadata.Dir) {
			return true
		}
	}
	return false
}

func firstProblem(c *logdir.Contents) string {
	var list []logdir.Problem
	for _, p := range c.AllProblems() {
		if !cutOffAtStart(c, p) {
			list = append(list, p)
		}
	}
	text := list[0].Path + ": " + list[0].Message
	if more := len(list) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// metadataDir returns the log directory whose metadata log speaks for the volume: that of the slot's own node, else
// the one that goes furthest. It is nil where no metadata was ever on the volume.
func metadataDir(v *volume.Volume) *logdir.LogDir {
	var best *logdir.LogDir
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		switch {
		case d.Metadata == nil:
			continue
		case v.Slot != nil && d.Path == strimzi.LogDirName(v.Slot.NodeID):
			return d
		case best == nil || d.Metadata.End.Compare(best.Metadata.End) > 0:
			best = d
		}
	}
	return best
}

// replay replays a metadata log. What is wrong with it becomes a problem of its log directory: what the log says is
// then not all that was in it. Of the nodes that are named as lost it is kept where they are in sync.
func replay(v *volume.Volume, d *logdir.LogDir, fsys fs.FS, lost []string) {
	im, err := metadata.ReadImage(fsys, metadata.DirOf(d.Path), metadata.ReadOptions{})
	if err != nil {
		if !d.Metadata.Empty {
			d.Problems = append(d.Problems, logdir.Problem{
				Path: path.Join(d.Path, metadata.Dir), Offset: -1, Message: logdir.EscapeText(err.Error()),
			})
		}
		return
	}
	v.MetadataVersion, v.Topics = int16(im.MetadataVersion()), im.TopicCount()
	v.Image = imageOf(im)
	inSyncOnLost(v.Image, im, strimzi.LostNodes(lost))
	report := im.Report()
	if !report.Incomplete {
		return
	}
	for _, p := range report.Problems {
		d.Problems = append(d.Problems, logdir.Problem{
			Path: logdir.Escape(p.File), Offset: p.Position, Message: logdir.EscapeText("replay: " + p.Message),
		})
	}
}

// imageOf keeps what a recovery depends on.
func imageOf(im *metadata.Image) *volume.Image {
	at := im.Provenance()
	out := &volume.Image{
		End:    logdir.OffsetAndEpoch{Offset: im.EndOffset(), Epoch: max(at.LastEpoch, 0)},
		InSync: map[int32]int{}, Users: users(im), EndTimestamp: at.LastTimestamp, Hosts: hosts(im),
	}
	for _, b := range im.Brokers() {
		out.Brokers = append(out.Brokers, b.ID)
		if b.Fenced {
			out.Fenced = append(out.Fenced, b.ID)
		}
	}
	for _, t := range im.Topics() {
		for p := range t.Partitions() {
			for _, broker := range p.ISR {
				out.InSync[broker]++
			}
			for _, broker := range p.ELR {
				if !slices.Contains(p.ISR, broker) {
					out.InSync[broker]++
				}
			}
		}
	}
	for _, r := range im.RemovedTopics(0) {
		out.Removed = append(out.Removed, volume.RemovedTopic{
			Name: r.Name, TopicID: r.ID.String(), Offset: r.Offset, Timestamp: r.Timestamp,
		})
	}
	for _, r := range im.RemovedCredentials() {
		out.RemovedUsers = append(out.RemovedUsers, volume.RemovedUser{
			Name: r.User, Mechanism: metadata.MechanismName(r.Mechanism), Offset: r.Offset, Timestamp: r.Timestamp,
		})
	}
	return out
}

// hosts are the names of Strimzi's that brokers, controllers and voters registered with.
func hosts(im *metadata.Image) map[int32]strimzi.NodeHost {
	var out map[int32]strimzi.NodeHost
	add := func(id int32, host string) {
		if h, ok := strimzi.ParseNodeHost(host); ok && h.NodeID == id {
			if out == nil {
				out = map[int32]strimzi.NodeHost{}
			}
			out[id] = h
		}
	}
	if v := im.Voters(); v != nil {
		for _, voter := range v.Voters {
			for _, e := range voter.Endpoints {
				add(voter.VoterID, e.Host)
			}
		}
	}
	for _, c := range im.Controllers() {
		for _, e := range c.EndPoints {
			add(c.ID, e.Host)
		}
	}
	for _, b := range im.Brokers() {
		for _, e := range b.EndPoints {
			add(b.ID, e.Host)
		}
	}
	return out
}

// keptPartitions bounds the partitions that are kept of a lost node.
const keptPartitions = 1000

// inSyncOnLost counts where lost nodes are in sync, and lists the partitions of which nobody else can be elected.
func inSyncOnLost(out *volume.Image, im *metadata.Image, lost []int32) {
	if len(lost) == 0 {
		return
	}
	out.Lost = map[int32]*volume.LostNode{}
	for _, id := range lost {
		out.Lost[id] = &volume.LostNode{}
	}
	isLost := func(id int32) bool { return out.Lost[id] != nil }
	for _, t := range im.Topics() {
		for p := range t.Partitions() {
			eligible := slices.Concat(p.ISR, p.ELR)
			if len(eligible) == 0 { // then the last leader that is known is elected (Kafka: PartitionChangeBuilder)
				eligible = p.LastKnownELR
			}
			alone := !slices.ContainsFunc(eligible, func(id int32) bool { return !isLost(id) })
			for _, id := range lost {
				n := out.Lost[id]
				if p.Leader != metadata.NoLeader && slices.Contains(p.Replicas, id) {
					n.Replicas++
				}
				switch {
				case alone && slices.Contains(eligible, id):
					if n.Alone++; n.Alone <= keptPartitions {
						n.Partitions = append(n.Partitions, volume.InSyncPartition{
							Topic: t.Name, Partition: p.ID, Replicas: slices.Clone(p.Replicas), ISR: slices.Clone(p.ISR),
							ELR: slices.Clone(p.ELR),
						})
					}
				case slices.Contains(p.ISR, id):
					n.InSync++
				}
			}
		}
	}
}

const (
	principalPrefix = "User:"
	userEntity      = "user"
)

// users lists who has credentials, quotas or entries in the access control lists. The wildcard and the anonymous user
// are nobody's account, and the User Operator leaves both alone (SimpleAclOperator).
func users(im *metadata.Image) []string {
	var out []string
	for _, k := range im.Users() {
		out = append(out, k.User)
	}
	for _, q := range im.Quotas() {
		for _, e := range q.Entity {
			if e.EntityType == userEntity && e.EntityName != nil {
				out = append(out, *e.EntityName)
			}
		}
	}
	for _, a := range im.ACLs() {
		if name, ok := strings.CutPrefix(a.Principal, principalPrefix); ok && name != "*" && name != "ANONYMOUS" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// wanted tells a source which files readVolume opens.
func wanted(name string, size int64) bool { return !logdir.Wanted(name, size).None() }
